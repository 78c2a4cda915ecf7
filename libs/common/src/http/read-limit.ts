import type { Socket } from 'node:net';

/** A connection brought more than any answer needs, in whatever part of it: a reason phrase, an extension of a chunk. */
export class ReadLimitError extends Error {
  constructor() {
    super('the answer is longer than anybody reads');
  }
}

/**
 * Far above the bytes that are read of an answer, so that head, body and even chunks of one byte fit. Without this limit,
 * parts that the parser skips were read at full speed until the deadline: 1.1 GB in 2 s (measured).
 */
const MAX_BYTES_PER_REQUEST = 1_048_576;

/** Destroys the socket when more bytes than the limit arrive after its last write. */
export function limitReading(socket: Socket): void {
  const { push } = socket;
  let written = 0;
  let readBytes = 0;
  // The one place every byte passes before the parser sees it: a listener for data would take the bytes from undici.
  socket.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (socket.bytesWritten !== written) {
      written = socket.bytesWritten;
      readBytes = 0;
    }
    readBytes += chunk instanceof Uint8Array ? chunk.length : 0;
    if (readBytes <= MAX_BYTES_PER_REQUEST) return push.call(socket, chunk, encoding);
    socket.destroy(new ReadLimitError());
    return false;
  };
}
