import type { Graph } from '../ir/graph.ts';
import type { Attribute, AttributeValue } from '../ir/node.ts';
import { Ranges, type ReadContext, remember, wholeOf } from './context.ts';
import { refuseExternal } from './external.ts';
import { ATTRIBUTE, ATTRIBUTE_TYPES, FIXED32, LENGTH, MAX_LIST, MAX_TEXT } from './fields.ts';
import { externals } from './origin.ts';
import type { Reading } from './reading.ts';
import { readSparse, readTensor } from './readTensor.ts';
import type { Field } from './wire.ts';

/** How bodies are read: handed in, because graphs hold nodes hold attributes hold graphs. */
export type ReadBody = (context: ReadContext, field: Field, where: string) => Reading<Graph>;

/** Reads an AttributeProto; `where` is the node it belongs to. */
export function* readAttribute(
  context: ReadContext,
  field: Field,
  where: string,
  readBody: ReadBody,
): Reading<Attribute> {
  const { skim } = context;
  let name = '';
  let type = 0;
  let found: AttributeValue | undefined;
  let opaque = false;
  const floats: number[] = [];
  const ints: bigint[] = [];
  const strings: string[] = [];
  const graphs: Graph[] = [];
  const extra = new Ranges();
  skim.expect(field, LENGTH);
  yield* skim.walk(field.start, field.end, function* (one) {
    switch (one.number) {
      case ATTRIBUTE.name:
        name = yield* skim.text(one);
        break;
      case ATTRIBUTE.type:
        type = skim.int(one);
        break;
      case ATTRIBUTE.f:
        skim.expect(one, FIXED32);
        found = { type: 'float', value: floatOf(one.low) };
        break;
      case ATTRIBUTE.i:
        found = { type: 'int', value: skim.bigint(one) };
        break;
      case ATTRIBUTE.s:
        if (one.end - one.start > MAX_TEXT) opaque = true;
        else found = { type: 'string', value: yield* skim.text(one) };
        break;
      case ATTRIBUTE.t:
        found = { type: 'tensor', value: yield* readTensor(context, one, `${where}.${name}`) };
        break;
      case ATTRIBUTE.g:
        found = { type: 'graph', value: yield* readBody(context, one, `${where}.${name}`) };
        break;
      case ATTRIBUTE.sparseTensor:
        found = { type: 'sparse_tensor', value: yield* readSparse(context, one, `${where}.${name}`) };
        break;
      case ATTRIBUTE.floats:
        yield* readFloats(context, one, floats);
        break;
      case ATTRIBUTE.ints:
        for (const value of yield* skim.ints(one, MAX_LIST)) ints.push(value);
        break;
      case ATTRIBUTE.strings:
        if (one.end - one.start > MAX_TEXT) opaque = true;
        else strings.push(yield* skim.text(one));
        break;
      case ATTRIBUTE.graphs:
        graphs.push(yield* readBody(context, one, `${where}.${name}[${graphs.length}]`));
        break;
      case ATTRIBUTE.refAttrName:
        opaque = true;
        break;
      case ATTRIBUTE.tensors: {
        const tensor = yield* readTensor(context, one, `${where}.${name}`);
        if (externals.has(tensor)) throw refuseExternal(context, `${where}.${name}`);
        opaque = true;
        break;
      }
      default:
        extra.add(wholeOf(context, one));
    }
  });
  const value = ((): AttributeValue => {
    if (opaque) return { type: 'opaque' };
    if (floats.length > 0) return { type: 'floats', value: floats };
    if (ints.length > 0) return { type: 'ints', value: ints };
    if (strings.length > 0) return { type: 'strings', value: strings };
    if (graphs.length > 0) return { type: 'graphs', value: graphs };
    return found ?? absentValue(type);
  })();
  return remember(context, { name, ...value, ...extra.orNone() }, field);
}

/** What an attribute means that names its type and nothing else: proto3 writers leave out zeros and empty lists. */
function absentValue(type: number): AttributeValue {
  switch (type) {
    case ATTRIBUTE_TYPES.float:
      return { type: 'float', value: 0 };
    case ATTRIBUTE_TYPES.int:
      return { type: 'int', value: 0n };
    case ATTRIBUTE_TYPES.string:
      return { type: 'string', value: '' };
    case ATTRIBUTE_TYPES.floats:
      return { type: 'floats', value: [] };
    case ATTRIBUTE_TYPES.ints:
      return { type: 'ints', value: [] };
    case ATTRIBUTE_TYPES.strings:
      return { type: 'strings', value: [] };
    default:
      return { type: 'opaque' };
  }
}

function floatOf(bits: number): number {
  return new Float32Array(Uint32Array.of(bits).buffer)[0] as number;
}

function* readFloats(context: ReadContext, field: Field, into: number[]): Reading<void> {
  const { skim } = context;
  if (field.wireType === FIXED32) {
    into.push(floatOf(field.low));
    return;
  }
  skim.expect(field, LENGTH);
  const length = field.end - field.start;
  if (length % 4 !== 0) throw skim.error(field.tagStart, `a list of floats has ${length} bytes, not a multiple of 4`);
  if (length > MAX_LIST * 4) {
    throw skim.error(field.tagStart, `a list of ${length} bytes; at most ${MAX_LIST} numbers are taken`, 'limit');
  }
  const bytes = yield* skim.bytes(field.start, field.end);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < length; at += 4) into.push(view.getFloat32(at, true));
}
