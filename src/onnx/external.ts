import { CompressError } from '../errors.ts';
import type { ReadContext } from './context.ts';
import { ENTRY, LENGTH } from './fields.ts';
import type { ExternalRange } from './origin.ts';
import { type Reading, wait } from './reading.ts';
import type { Field } from './wireField.ts';

/** Reads a StringStringEntryProto. */
export function* readEntry(context: ReadContext, field: Field): Reading<[key: string, value: string]> {
  const { skim } = context;
  skim.expect(field, LENGTH);
  let key = '';
  let value = '';
  yield* skim.walk(field.start, field.end, function* (one) {
    if (one.number === ENTRY.key) key = yield* skim.text(one);
    else if (one.number === ENTRY.value) value = yield* skim.text(one);
  });
  return [key, value];
}

/** The error for tensors in data files that would be copied unread: their references would break if the file moved. */
export function refuseExternal(context: ReadContext, where: string): CompressError {
  return new CompressError('unsupported', `${context.skim.source.label}, ${where}`, 'its data is in another file', {
    hint: 'Only initializers and Constant nodes may have external data.',
  });
}

/**
 * Finds the bytes that a tensor's `external_data` entries refer to.
 * @throws CompressError `malformed` if the range is outside the file or has not the tensor's size, `io` if there is
 *   no such file, `unsupported` if the model came through a pipe and so has no folder
 */
export function* resolveExternal(
  context: ReadContext,
  entries: ReadonlyMap<string, string>,
  byteLength: number,
  name: string,
  fail: (fact: string) => Error,
): Reading<ExternalRange> {
  const location = entries.get('location') ?? '';
  if (context.folder === undefined) {
    throw new CompressError(
      'unsupported',
      context.skim.source.label,
      `${name}: its data is in the file '${location}'`,
      {
        hint: 'A model with external data cannot be piped: give its path.',
      },
    );
  }
  const source = yield* wait(context.folder.open(location, `${context.skim.source.label}, ${name}`));
  context.dataFiles.set(location, source);
  const number = (key: string): number | undefined => {
    const text = entries.get(key);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value))
      throw fail(`external data has the ${key} ${JSON.stringify(text.slice(0, 40))}, which is not a number of bytes`);
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
