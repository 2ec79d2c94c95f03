import type { OpsetImport } from '../ir/model.ts';
import { Ranges, type ReadContext, remember, wholeOf } from './context.ts';
import { LENGTH, OPSET } from './fields.ts';
import type { Reading } from './reading.ts';
import type { Field } from './wireField.ts';

/** Reads an OperatorSetIdProto. */
export function* readOpset(context: ReadContext, field: Field): Reading<OpsetImport> {
  let domain = '';
  let version = 0;
  const extra = new Ranges();
  context.skim.expect(field, LENGTH);
  yield* context.skim.walk(field.start, field.end, function* (one) {
    if (one.number === OPSET.domain) domain = yield* context.skim.text(one);
    else if (one.number === OPSET.version) version = context.skim.int(one);
    else extra.add(wholeOf(context, one));
  });
  return remember(context, { domain, version, ...extra.orNone() }, field);
}
