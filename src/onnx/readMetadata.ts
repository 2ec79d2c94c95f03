import type { Blob } from '../bytes/stored.ts';
import type { MetadataEntry } from '../ir/header.ts';
import { Ranges, type ReadContext, remember, wholeOf } from './context.ts';
import { ENTRY, LENGTH } from './fields.ts';
import type { Reading } from './reading.ts';
import type { Field } from './wireField.ts';

/**
 * Reads a StringStringEntryProto of `metadata_props`; its value, which may be a whole vocabulary, stays in the file.
 */
export function* readMetadata(context: ReadContext, field: Field): Reading<MetadataEntry> {
  const { skim } = context;
  let key = '';
  let value: Blob = NOTHING;
  const extra = new Ranges();
  skim.expect(field, LENGTH);
  yield* skim.walk(field.start, field.end, function* (one) {
    if (one.number === ENTRY.key) key = yield* skim.text(one);
    else if (one.number === ENTRY.value) {
      skim.expect(one, LENGTH);
      value = skim.segment(one.start, one.end);
    } else extra.add(wholeOf(context, one));
  });
  return remember(context, { key, value, ...extra.orNone() }, field);
}

const NOTHING: Blob = { byteLength: 0, load: async () => new Uint8Array(0) };
