/** Recorders of both sides of a WebSocket: an owner that keeps its events, and a socket that keeps its calls. */
import type { FramePiece, MessageSocket, MessageType, SocketHandler } from '../../dist/websocket/message-socket.js';

/** Keeps, as text: `text hello`, `close 4001 bye`, `lost why`, `writable`. */
export class RecordingOwner implements SocketHandler {
  readonly events: string[] = [];
  /** Called with each message: for owners that react. */
  react: ((text: string) => void) | undefined;

  onMessage(type: MessageType, data: Buffer): void {
    this.events.push(`${type} ${data}`);
    this.react?.(data.toString());
  }

  onClose(code: number | undefined, reason: Buffer): void {
    this.events.push(`close ${code ?? '-'} ${reason}`.trimEnd());
  }

  onLost(error: Error | undefined): void {
    this.events.push(`lost ${error?.message ?? ''}`.trimEnd());
  }

  onWritable(): void {
    this.events.push('writable');
  }
}

/** Keeps, as text: `text a["x"]`, `push text a["x"]`, `close 4001 bye`, `abort`. */
export class RecordingSocket implements MessageSocket {
  readonly calls: string[] = [];
  readonly pushed: FramePiece[] = [];
  owner: SocketHandler | undefined;
  waiting = 0;
  takes = true;

  setHandler(handler: SocketHandler): void {
    this.owner = handler;
  }

  send(type: MessageType, data: Buffer): boolean {
    this.calls.push(`${type} ${data}`);
    return this.takes;
  }

  push(piece: FramePiece): void {
    this.pushed.push(piece);
    this.calls.push(`push ${piece.type} ${piece.payload}`);
  }

  close(code?: number, reason?: Buffer): void {
    this.calls.push(`close ${code ?? '-'} ${reason ?? ''}`.trimEnd());
  }

  abort(): void {
    this.calls.push('abort');
  }

  pause(): void {
    this.calls.push('pause');
  }

  resume(): void {
    this.calls.push('resume');
  }
}
