/** The package need not be installed where this is compiled against; what is used of it is in component-library.ts. */
declare module '@xmpp/component' {
  export const component: unknown;
}
