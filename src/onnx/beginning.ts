import type { Source } from '../bytes/source.ts';
import { LENGTH, MAX_MESSAGE } from './fields.ts';
import { plainText, readModel } from './read.ts';
import { isText } from './sniff.ts';

/**
 * Refuses input whose first bytes cannot be those of a model, before gigabytes more arrive: another format, text, or
 * bytes that are not protobuf. The bytes are parsed as the start of a model, so only input that would be refused in
 * full is refused here.
 * @param bytes - the first bytes, a few hundred or more
 * @throws CompressError as `readModel`
 */
export async function refuseBeginning(bytes: Uint8Array, label: string): Promise<void> {
  // Zeros prove nothing yet: a preallocated file that is still being written starts with them.
  if (bytes.every((byte) => byte === 0)) return;
  const source: Source = {
    label,
    byteLength: MAX_MESSAGE,
    async read(start, end) {
      if (end > bytes.byteLength) throw new TheRest();
      return bytes.subarray(start, end);
    },
    async close() {},
  };
  await readModel(source).catch((cause: unknown) => {
    if (!(cause instanceof TheRest)) throw cause;
  });
  // Some text parses as fields that ONNX does not have, or has only once: `y\ny\ny\ny\n`. A model contains that much
  // text only inside a long field, and the length of a long field is not ASCII.
  const [tag = 0, length = 0] = bytes;
  if (isText(bytes) && !((tag & 7) === LENGTH && length >= 0x80)) throw plainText(label);
}

/** The bytes needed next have not arrived yet. */
class TheRest extends Error {}
