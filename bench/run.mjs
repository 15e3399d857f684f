// npm run bench: builds what is measured, and what the bench itself takes of it, and then measures (main.mjs). With --no-build it
// takes what is built.
import { build, installPackages } from '../scripts/setup.mjs';

if (!process.argv.includes('--no-build')) {
  installPackages();
  build();
}
await import('./main.mjs');
