import type { Source } from '../bytes/source.ts';
import { LENGTH, MAX_MESSAGE } from './fields.ts';
import { plainText, readModel } from './read.ts';
import { isText } from './sniff.ts';

/**
 * Refuses what can be no model by how it begins, before gigabytes more are waited for: another format, text, bytes that
 * are not protobuf. It reads the bytes as those of a model of which the rest is to come, so no model is refused here
 * that is not refused when it is there.
 * @param bytes - the first ones, some hundred or more
 * @throws CompressError as `readModel` does
 */
export async function refuseBeginning(bytes: Uint8Array, label: string): Promise<void> {
  // Zeros alone say nothing yet: so begins what has its place on a disk and is still to be written.
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
  // Some text makes sense as fields that ONNX does not have, or has once: `y\ny\ny\ny\n`. A model is text for so long
  // only within a long field, whose length is no ASCII.
  const [tag = 0, length = 0] = bytes;
  if (isText(bytes) && !((tag & 7) === LENGTH && length >= 0x80)) throw plainText(label);
}

/** What is wanted next has not come yet. */
class TheRest extends Error {}
