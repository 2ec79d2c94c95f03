import { CompressError } from '../errors.ts';
import type { ReadContext } from './context.ts';
import { ENTRY } from './fields.ts';
import type { ExternalRange } from './origin.ts';
import type { Field } from './wire.ts';

/** Reads a StringStringEntryProto. */
export async function readEntry(context: ReadContext, field: Field): Promise<[key: string, value: string]> {
  const { skim } = context;
  let key = '';
  let value = '';
  await skim.walk(field.start, field.end, async (one) => {
    if (one.number === ENTRY.key) key = await skim.text(one);
    else if (one.number === ENTRY.value) value = await skim.text(one);
  });
  return [key, value];
}

/**
 * Finds the bytes that a tensor's `external_data` entries name.
 * @throws CompressError `malformed` when the range is not in the file or not of the tensor's size, `io` when there is no
 * such file, `unsupported` when the model came through a pipe and so has no folder
 */
export async function resolveExternal(
  context: ReadContext,
  entries: ReadonlyMap<string, string>,
  byteLength: number,
  name: string,
  fail: (fact: string) => Error,
): Promise<ExternalRange> {
  const location = entries.get('location') ?? '';
  if (context.folder === undefined) {
    throw new CompressError(
      'unsupported',
      context.skim.source.label,
      `${name}: its data lies in the file '${location}'`,
      {
        hint: 'A model with external data cannot come through a pipe: give its path.',
      },
    );
  }
  const source = await context.folder.open(location, `${context.skim.source.label}, ${name}`);
  context.dataFiles.set(location, source);
  const number = (key: string): number | undefined => {
    const text = entries.get(key);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value))
      throw fail(`external data has the ${key} ${JSON.stringify(text.slice(0, 40))}`);
    return value;
  };
  const start = number('offset') ?? 0;
  const length = number('length') ?? byteLength;
  if (length !== byteLength) throw fail(`external data has ${length} bytes; the shape needs ${byteLength}`);
  if (start + length > source.byteLength) {
    throw fail(`external data ends at byte ${start + length} of '${location}', which has ${source.byteLength}`);
  }
  return { source, location, start, end: start + length, checksum: entries.get('checksum') };
}
