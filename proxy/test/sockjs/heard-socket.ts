/** Owns: both sides of a WebSocket as notes: an owner that writes down what it hears, and a socket what it is told. */
import type { FramePiece } from '../../dist/websocket/frame-piece.js';
import type { MessageSocket, MessageType, SocketHandler } from '../../dist/websocket/message-socket.js';

/** Hears, in words: `text hello`, `close 4001 bye`, `lost why`, `writable`. */
export class HeardOwner implements SocketHandler {
  readonly heard: string[] = [];
  /** Called with each message: for owners that react. */
  react: ((text: string) => void) | undefined;

  onMessage(type: MessageType, data: Buffer): void {
    this.heard.push(`${type} ${data}`);
    this.react?.(data.toString());
  }

  onClose(code: number | undefined, reason: Buffer): void {
    this.heard.push(`close ${code ?? '-'} ${reason}`.trimEnd());
  }

  onLost(error: Error | undefined): void {
    this.heard.push(`lost ${error?.message ?? ''}`.trimEnd());
  }

  onWritable(): void {
    this.heard.push('writable');
  }
}

/** Is told, in words: `text a["x"]`, `push text a["x"]`, `close 4001 bye`, `abort`. */
export class ToldSocket implements MessageSocket {
  readonly told: string[] = [];
  readonly pushed: FramePiece[] = [];
  owner: SocketHandler | undefined;
  waiting = 0;
  takes = true;

  setHandler(handler: SocketHandler): void {
    this.owner = handler;
  }

  send(type: MessageType, data: Buffer): boolean {
    this.told.push(`${type} ${data}`);
    return this.takes;
  }

  push(piece: FramePiece): void {
    this.pushed.push(piece);
    this.told.push(`push ${piece.type} ${piece.payload}`);
  }

  close(code?: number, reason?: Buffer): void {
    this.told.push(`close ${code ?? '-'} ${reason ?? ''}`.trimEnd());
  }

  abort(): void {
    this.told.push('abort');
  }

  pause(): void {
    this.told.push('pause');
  }

  resume(): void {
    this.told.push('resume');
  }
}
