/**
 * An origin that answers each request with the bytes that its case has planned, and reports every request that
 * no client sent.
 */
import { createHmac } from 'node:crypto';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { STRAY_LINKS } from './odd.js';
import { type StrictRequest, strictRequests } from './requests-oracle.js';
import { perform, type Step } from './steps.js';

/** What the origin answers to the requests of one case. */
export interface Plan {
  /** The bytes for a request; `index` counts those of the case. */
  readonly answer: (request: StrictRequest, index: number, socket: Socket) => readonly Step[];
  /** Answers as soon as the head has come. */
  readonly early?: boolean;
  /** Gets what follows an answer with status 101. */
  readonly frames?: (bytes: Buffer, socket: Socket) => void;
}

/** The key with which the node under test signs. */
export const SIG_KEY = 'key of the hardening tests';

/** What a client puts into fields that it must not set; no origin may get them. */
export const FORGED = 'forged-by-a-client';

const TOKEN = /\/t-([a-z]+-[0-9]+)(?:[-/?.]|$)/;
const MAX_HEAD = 200_000;

/** Marks a path as one of a case. */
export const tokenPath = (prefix: string, token: string, rest = '') => `${prefix}t-${token}${rest}`;

/** The token of all requests that Holdfast makes for SockJS clients, whose own paths it does not pass on. */
export const SOCKJS_TOKEN = 'sock-0';

const SOCKJS_PATH = /^\/[se]\/?(?:websocket)?(?:\?.*)?$/;

/** The token of a case in the path of a request. */
export const tokenOf = (target: string): string | undefined =>
  SOCKJS_PATH.test(target) ? SOCKJS_TOKEN : TOKEN.exec(target)?.[1];

/** An origin on a free port. */
export class HostileOrigin {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #plans = new Map<string, Plan>();
  readonly #seen = new Map<string, StrictRequest[]>();
  /** What must not be, since the last look. */
  readonly #complaints: string[] = [];

  private constructor() {
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.#take(socket));
  }

  static async start(): Promise<HostileOrigin> {
    const origin = new HostileOrigin();
    await new Promise<void>((resolve) => origin.#server.listen(0, '127.0.0.1', resolve));
    return origin;
  }

  /** `127.0.0.1:port`. */
  get target(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Makes a plan for a case. */
  plan(token: string, plan: Plan): void {
    this.#plans.set(token, plan);
    if (!this.#seen.has(token)) this.#seen.set(token, []);
  }

  /** The requests of a case so far. */
  seen(token: string): readonly StrictRequest[] {
    return this.#seen.get(token) ?? [];
  }

  /** Forgets a case. What still comes for it gets an empty answer. */
  forget(token: string): void {
    this.#plans.delete(token);
    this.#seen.delete(token);
  }

  takeComplaints(): string[] {
    return this.#complaints.splice(0);
  }

  /** Cuts all connections and stops listening. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #take(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket)).on('error', () => {});
    socket.on('end', () => socket.end());
    const conversation = new Conversation(socket, (request) => this.#planFor(request));
    socket.on('data', (part) => {
      const fault = conversation.add(part);
      if (fault === undefined) return;
      this.#complaints.push(`the origin got what is no request: ${fault}`);
      socket.destroy();
    });
  }

  #planFor(request: StrictRequest): { plan: Plan | undefined; index: number } {
    const token = tokenOf(request.target);
    const complaint = complaintOf(request, token);
    if (complaint !== undefined) this.#complaints.push(complaint);
    const seen = token === undefined ? undefined : this.#seen.get(token);
    // Of the shared one nobody asks what it has seen.
    if (token !== SOCKJS_TOKEN) seen?.push(request);
    return { plan: token === undefined ? undefined : this.#plans.get(token), index: (seen?.length ?? 1) - 1 };
  }
}

function complaintOf({ method, target, fields }: StrictRequest, token: string | undefined): string | undefined {
  const shown = `${method} ${target.slice(0, 200)}`;
  if (token === undefined && !STRAY_LINKS.includes(target))
    return `the origin got a request that no client sent: ${shown}`;
  const signatures = fields.filter(([name]) => name === 'grip-sig').map(([, value]) => value);
  if (signatures.length > 1) return `the origin got ${signatures.length} Grip-Sig: ${shown}`;
  if (signatures.some((signature) => !isSigned(signature)))
    return `the origin got a Grip-Sig that is not ours: ${shown}`;
  const forged = fields.find(([name, value]) => value.includes(FORGED) && isOwned(name, target));
  return forged === undefined ? undefined : `the origin got ${forged[0]} of a client: ${shown}`;
}

/** Whether a field belongs to the proxy, for origins that see hyphens and underscores alike too. */
function isOwned(name: string, target: string): boolean {
  const hyphened = name.replaceAll('_', '-');
  if (hyphened.startsWith('grip-')) return true;
  if (name !== hyphened && hyphened.startsWith('x-forwarded-')) return true;
  return target.startsWith('/o/') && (hyphened.startsWith('meta-') || hyphened === 'connection-id');
}

function isSigned(token: string): boolean {
  const [head = '', payload = '', signature] = token.split('.');
  return createHmac('sha256', SIG_KEY).update(`${head}.${payload}`).digest('base64url') === signature;
}

/** Finds what is answered to a request, and which of its case's it is. */
type Planner = (request: StrictRequest) => { plan: Plan | undefined; index: number };

/** One connection to the origin: its requests, one after the other. */
class Conversation {
  readonly #socket: Socket;
  readonly #planFor: Planner;
  #bytes: Buffer = Buffer.alloc(0);
  #frames: ((bytes: Buffer, socket: Socket) => void) | undefined;
  /** The request whose head has been answered already, or none. */
  #answered = false;
  #work: Promise<void> = Promise.resolve();

  constructor(socket: Socket, planFor: Planner) {
    this.#socket = socket;
    this.#planFor = planFor;
  }

  /** Takes bytes; returns what is wrong with them. */
  add(part: Buffer): string | undefined {
    if (this.#frames !== undefined) {
      this.#frames(part, this.#socket);
      return undefined;
    }
    this.#bytes = this.#bytes.length === 0 ? part : Buffer.concat([this.#bytes, part]);
    while (this.#bytes.length > 0 && this.#frames === undefined) {
      const headEnd = this.#bytes.indexOf('\r\n\r\n');
      if (headEnd < 0) return this.#bytes.length > MAX_HEAD ? this.#shown() : undefined;
      const [request] = strictRequests(this.#bytes);
      if (request === undefined) return this.#shown();
      if (!this.#answered) this.#meet(request);
      if (!request.whole) return undefined;
      this.#finish(request, headEnd + 4);
    }
    return undefined;
  }

  #shown(): string {
    return JSON.stringify(this.#bytes.toString('latin1', 0, 300));
  }

  #current: { plan: Plan | undefined; index: number } | undefined;

  #meet(request: StrictRequest): void {
    this.#current ??= this.#planFor(request);
    const { plan } = this.#current;
    if (!request.whole && plan?.early !== true) return;
    this.#answered = true;
    const { index } = this.#current;
    const steps = plan === undefined ? [EMPTY] : plan.answer(request, index, this.#socket);
    this.#work = this.#work.then(() => perform(this.#socket, steps)).catch(() => {});
    const [first] = steps;
    if (
      plan?.frames !== undefined &&
      Buffer.isBuffer(first) &&
      first.toString('latin1', 0, 13).startsWith('HTTP/1.1 101')
    ) {
      this.#frames = plan.frames;
    }
  }

  #finish(request: StrictRequest, bodyStart: number): void {
    const length = lengthOnWire(this.#bytes, bodyStart, request);
    this.#bytes = this.#bytes.subarray(bodyStart + length);
    this.#answered = false;
    this.#current = undefined;
    if (this.#frames !== undefined && this.#bytes.length > 0) this.#frames(this.#bytes, this.#socket);
  }
}

const EMPTY = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');

/** How many bytes the body of a whole request takes. */
function lengthOnWire(bytes: Buffer, at: number, { fields, body }: StrictRequest): number {
  if (!fields.some(([name]) => name === 'transfer-encoding')) return body.length;
  for (let from = at; ; ) {
    const lineEnd = bytes.indexOf('\r\n', from);
    const size = Number.parseInt(bytes.toString('latin1', from, lineEnd), 16);
    if (size > 0) from = lineEnd + 2 + size + 2;
    else return bytes.indexOf('\r\n\r\n', lineEnd) + 4 - at;
  }
}
