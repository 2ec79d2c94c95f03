import type { Graph } from '../ir/graph.ts';
import type { Attribute, AttributeValue } from '../ir/node.ts';
import { Ranges, type ReadContext, remember, wholeOf } from './context.ts';
import { refuseExternal } from './external.ts';
import { ATTRIBUTE, ATTRIBUTE_TYPES, FIXED32, LENGTH, MAX_LIST, MAX_TEXT, VARINT } from './fields.ts';
import { externals } from './origin.ts';
import { after, into, type Pending, type Reading } from './reading.ts';
import { readSparse, readTensor } from './readTensor.ts';
import type { Field } from './wireField.ts';

/** The function that reads bodies. It is passed in, because graphs, nodes and attributes contain each other. */
export type ReadBody = (context: ReadContext, field: Field, where: string) => Reading<Graph>;

/** Reads an AttributeProto and passes it to `take`; `where` is its node. */
export function readAttribute(
  context: ReadContext,
  field: Field,
  where: string,
  readBody: ReadBody,
  take: (attribute: Attribute) => void,
): Pending {
  const { skim } = context;
  let name = '';
  let type = 0;
  let found: AttributeValue | undefined;
  let opaque = false;
  let reference: string | undefined;
  const floats: number[] = [];
  const ints: bigint[] = [];
  const strings: string[] = [];
  const graphs: Graph[] = [];
  const extra = new Ranges();
  skim.expect(field, LENGTH);
  const visit = (one: Field): Pending => {
    switch (one.number) {
      case ATTRIBUTE.name:
        return skim.textInto(one, (text) => {
          name = text;
        });
      case ATTRIBUTE.type:
        type = skim.int(one);
        return undefined;
      case ATTRIBUTE.f:
        skim.expect(one, FIXED32);
        found = { type: 'float', value: floatOf(one.low) };
        return undefined;
      case ATTRIBUTE.i:
        found = { type: 'int', value: skim.bigint(one) };
        return undefined;
      case ATTRIBUTE.s:
      case ATTRIBUTE.strings:
        if (one.end - one.start > MAX_TEXT) {
          opaque = true;
          return undefined;
        }
        return skim.textInto(one, (value) => {
          if (one.number === ATTRIBUTE.s) found = { type: 'string', value };
          else strings.push(value);
        });
      case ATTRIBUTE.t:
        return into(readTensor(context, one, `${where}.${name}`), (value) => {
          found = { type: 'tensor', value };
        });
      case ATTRIBUTE.g:
        return into(readBody(context, one, `${where}.${name}`), (value) => {
          found = { type: 'graph', value };
        });
      case ATTRIBUTE.sparseTensor:
        return into(readSparse(context, one, `${where}.${name}`), (value) => {
          found = { type: 'sparse_tensor', value };
        });
      case ATTRIBUTE.floats:
        if (one.wireType !== FIXED32) return readFloats(context, one, floats);
        floats.push(floatOf(one.low));
        return undefined;
      case ATTRIBUTE.ints:
        if (one.wireType !== VARINT) {
          return into(skim.ints(one, MAX_LIST), (list) => {
            for (const value of list) ints.push(value);
          });
        }
        ints.push(skim.bigint(one));
        return undefined;
      case ATTRIBUTE.graphs:
        return into(readBody(context, one, `${where}.${name}[${graphs.length}]`), (body) => graphs.push(body));
      case ATTRIBUTE.tensors:
        opaque = true;
        return into(readTensor(context, one, `${where}.${name}`), (tensor) => {
          if (externals.has(tensor)) throw refuseExternal(context, `${where}.${name}`);
        });
      default:
        if (one.number === ATTRIBUTE.refAttrName) {
          return skim.textInto(one, (text) => {
            reference = text;
          });
        }
        extra.add(wholeOf(context, one));
        return undefined;
    }
  };
  return after(skim.scan(field.start, field.end, visit), () => {
    const value = ((): AttributeValue => {
      if (opaque) return { type: 'opaque' };
      if (reference !== undefined) return { type: 'reference', value: reference };
      if (floats.length > 0) return { type: 'floats', value: floats };
      if (ints.length > 0) return { type: 'ints', value: ints };
      if (strings.length > 0) return { type: 'strings', value: strings };
      if (graphs.length > 0) return { type: 'graphs', value: graphs };
      return found ?? absentValue(type);
    })();
    take(remember(context, { name, ...value, ...extra.orNone() }, field));
  });
}

/** The value of an attribute that states only its name and type: proto3 writers omit zeros and empty lists. */
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

const scratch = new DataView(new ArrayBuffer(4));

function floatOf(bits: number): number {
  scratch.setUint32(0, bits);
  return scratch.getFloat32(0);
}

function* readFloats(context: ReadContext, field: Field, list: number[]): Reading<void> {
  const { skim } = context;
  skim.expect(field, LENGTH);
  const length = field.end - field.start;
  if (length % 4 !== 0) throw skim.error(field.tagStart, `a list of floats has ${length} bytes, not a multiple of 4`);
  if (length > MAX_LIST * 4) {
    throw skim.error(field.tagStart, `a list has ${length} bytes; at most ${MAX_LIST} numbers are accepted`, 'limit');
  }
  skim.count(length / 4, field.tagStart);
  const bytes = yield* skim.bytes(field.start, field.end);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < length; at += 4) list.push(view.getFloat32(at, true));
}
