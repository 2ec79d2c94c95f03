import { CompressError } from '../../errors.ts';
import { jsonKeys } from '../data/jsonKeys.ts';
import { readTextFile } from '../files/textFile.ts';

/** Maximum bytes; larger than any list of layers. */
const MAX_BYTES = 2 ** 24;

/**
 * Reads amounts by name from a JSON file: `{"fc1.weight": 0.3, "conv": 0.5}`. 0 leaves a weight unchanged.
 * @throws CompressError `data` naming file and name if it is anything else, `limit`, `io`
 */
export async function readAmounts(path: string): Promise<Map<string, number>> {
  const text = await readTextFile(path, MAX_BYTES);
  if (Buffer.byteLength(text) > MAX_BYTES) throw new CompressError('limit', path, `has more than ${MAX_BYTES} bytes`);
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new CompressError('data', path, `is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content) || Object.keys(content).length === 0) {
    throw new CompressError('data', path, 'is not an object with amounts by name', {
      hint: 'For example: {"fc1.weight": 0.3, "conv": 0.5}',
    });
  }
  const { twice } = jsonKeys(text);
  if (twice !== undefined) throw new CompressError('data', path, `names '${twice}' twice`);
  return new Map(
    Object.entries(content).map(([name, value]) => {
      if (isAmount(value)) return [name, value];
      const fact = `${JSON.stringify(value)} is neither a fraction from 0 to 1 nor a whole number`;
      throw new CompressError('data', `${path}, '${name}'`, fact);
    }),
  );
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && (value < 1 || Number.isSafeInteger(value));
}
