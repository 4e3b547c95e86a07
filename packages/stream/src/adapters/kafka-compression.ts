import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import kafkajs from 'kafkajs';

/** What one batch may become: far above what any topic of ours takes, far below what would end the process. */
const MAX_INFLATED_BYTES = 32 * 1024 * 1024;

let registered = false;

/**
 * kafkajs reads gzip without a bound, and for the others it throws: one batch that somebody else compressed would end
 * every reader of its partition. Topics that the set-up made are converted by the broker (`compression.type`); this is
 * for those that existed before. Snappy and lz4 stay unreadable there: Node has neither.
 */
export function registerCodecs(): void {
  if (registered) return;
  registered = true;
  const bounded = { maxOutputLength: MAX_INFLATED_BYTES };
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  CompressionCodecs[CompressionTypes.GZIP] = () => ({
    compress: async ({ buffer }: { buffer: Buffer }) => gzipSync(buffer),
    decompress: async (buffer: Buffer) => gunzipSync(buffer, bounded),
  });
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: async ({ buffer }: { buffer: Buffer }) => zstdCompressSync(buffer),
    decompress: async (buffer: Buffer) => zstdDecompressSync(buffer, bounded),
  });
}
