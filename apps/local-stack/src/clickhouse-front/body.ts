import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import zlib from 'node:zlib';
import { refusals } from './errors.ts';

/**
 * The whole body, decompressed, in one buffer. `maxBytes` bounds it after
 * decompression, so a small bomb is refused as a large body is. `grow` is told of bytes before they are kept.
 */
export async function readBody(
  request: IncomingMessage,
  maxBytes: number,
  grow: (bytes: number) => void,
): Promise<Buffer> {
  const encoding = String(request.headers['content-encoding'] ?? '')
    .trim()
    .toLowerCase();
  const length = Number(request.headers['content-length'] ?? Number.NaN);
  if (length > maxBytes) throw tooLarge(maxBytes);
  if (encoding === '' || encoding === 'identity') return collect(request, maxBytes, length, grow);
  const decoder = createDecoder(encoding);
  request.on('error', (error) => decoder.destroy(error));
  request.pipe(decoder);
  try {
    return await collect(decoder, maxBytes, Number.NaN, grow);
  } catch (error) {
    request.unpipe(decoder);
    decoder.destroy();
    if (
      (error as NodeJS.ErrnoException).code?.startsWith('Z_') ||
      (error as NodeJS.ErrnoException).code?.startsWith('ERR_')
    ) {
      throw refusals.cannotDecompress(`The body is not valid ${encoding}: ${(error as Error).message}.`);
    }
    throw error;
  }
}

function createDecoder(encoding: string): NodeJS.ReadWriteStream & Readable {
  switch (encoding) {
    case 'gzip':
    case 'x-gzip':
      return zlib.createGunzip();
    case 'deflate':
      return zlib.createInflate();
    case 'br':
      return zlib.createBrotliDecompress();
    case 'zstd':
      return zlib.createZstdDecompress();
    default:
      throw refusals.notImplemented(`Content-Encoding ${encoding} is not supported: use gzip, deflate, br or zstd.`);
  }
}

/**
 * With a known length the chunks go straight to their place; otherwise they are joined once at the end. A request that is
 * refused half way is not destroyed: its connection has to carry the answer that says why.
 */
async function collect(
  source: Readable,
  maxBytes: number,
  length: number,
  grow: (bytes: number) => void,
): Promise<Buffer> {
  const known = Number.isInteger(length);
  if (known) grow(length);
  let whole = known ? Buffer.allocUnsafeSlow(length) : undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of source.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    if (size + chunk.length > maxBytes) throw tooLarge(maxBytes);
    if (!known) grow(chunk.length);
    if (whole !== undefined && size + chunk.length <= whole.length) chunk.copy(whole, size);
    else if (whole === undefined) chunks.push(chunk);
    else whole = undefined;
    size += chunk.length;
  }
  return whole === undefined ? Buffer.concat(chunks, size) : whole.subarray(0, size);
}

const tooLarge = (maxBytes: number) =>
  refusals.tooLarge(`The body is larger than ${maxBytes} bytes: send it in parts.`);
