import { elementCount } from '../../../ir/dtype.ts';
import type { Constant } from '../../../ir/graph.ts';
import { intAttribute, isOp } from '../../../ir/node.ts';
import type { Tensor } from '../../../ir/tensor.ts';
import type { BlockForm, MatrixShape } from '../../../kernels/lowbits/codes.ts';
import type { LowForm, Target } from '../../../kernels/lowbits/names.ts';
import { weightAxes } from '../../../layers/axes.ts';
import { usesByTensor, type WeightUse } from '../../../layers/select.ts';
import { LOW_DEFAULT } from '../../../options/lowBits.ts';
import { codesScheme } from '../../../schemes/lowTensors.ts';
import { firstOpset, PER_AXIS_OPSET, UNPACKING_OPSET } from '../../../schemes/opset.ts';
import { decodeCosts, fusedBlocks, isDecoded, lowForms } from '../../../targets/lowbits.ts';
import type { Emitter } from '../emit.ts';
import { belowFloor, holdsFloor } from '../floor.ts';
import { meetsLog } from '../meets.ts';
import type { ResolvedOptions } from '../options.ts';
import { isProduct, pays, type Rows } from '../pays.ts';
import { planProduct } from '../product.ts';

/** How a weight is to be stored in few bits. */
export interface Choice {
  /** `int8`: a scale for each output, written as `quantize` writes it without few bits. `table`: rows are looked up. */
  readonly form: LowForm | 'int8' | 'table';
  readonly shape: BlockForm & MatrixShape;
  /** Whether the tensor has the outputs first, as it is read. */
  readonly outFirst: boolean;
  /** Factor of all numbers: alpha of a Gemm. */
  readonly factor: number;
  /** Whether rows of it are looked up as well: an embedding tied to the output layer. */
  readonly tied: boolean;
  /** The alternative, if data shows that it preserves the outputs much better. */
  readonly instead?: Choice | undefined;
}

/** A smaller weight would save fewer bytes beside int8 than its nodes take. */
export const LEAST_ELEMENTS = 4096;

/** How each weight is stored; missing ones keep 8 bits. Several nodes may read a weight. */
export type Choices = ReadonlyMap<Tensor, Choice>;

/** What is known of the model. */
export interface Known {
  /** Tied tables: embedding and output layer share one copy, in the bits of tables. */
  readonly tied: ReadonlySet<Tensor>;
  /** The weight of the last product. */
  readonly head: Tensor | undefined;
  readonly emitter: Emitter;
}

/** Chooses the weights that get fewer bits, and the form of each. */
export function choose(
  uses: readonly WeightUse[],
  options: ResolvedOptions,
  rows: Rows,
  { tied, head, emitter }: Known,
): { choices: Choices; note: string | undefined } {
  const { target = LOW_DEFAULT.target } = options;
  const byTensor = usesByTensor(uses);
  const least = options.choosing === true ? LEAST_ELEMENTS : options.minElements;
  const { form: usual, beyond } = lowForms.value[target];
  const few = options.tableBits === 4;
  const candidates = [...byTensor].filter(
    ([tensor, all]) =>
      (tied.has(tensor) ? few : all.every(isProduct)) &&
      elementCount(tensor.dims) >= Math.max(1, least) &&
      all.every((use) => keepsSignal(use, options)),
  );
  const decoded = candidates.reduce((sum, [tensor]) => sum + elementCount(tensor.dims), 0);
  const form = options.form ?? withActivations(usual, options);
  const most = isDecoded(form) ? decodeCosts.value.most[form] : Number.POSITIVE_INFINITY;
  const over = decoded > most && options.form === undefined;
  const asked = over ? beyond : form;
  const note = over
    ? `${decoded} product weights exceed the ${most} that a runtime can decode when it loads the model: ` +
      `${asked} instead of ${form}`
    : undefined;
  const choices = few ? tables(byTensor, tied, least, options) : new Map<Tensor, Choice>();
  if (asked === 'int8') return { choices, note };
  for (const [tensor, all] of candidates) {
    if (tied.has(tensor)) {
      choices.set(tensor, tiedChoice(tensor, all, asked, options));
      continue;
    }
    const bits = tensor === head ? (options.headBits ?? LOW_DEFAULT.headBits) : (options.bits ?? 8);
    const chosen = (form: LowForm): Choice | undefined =>
      choiceFor(all, form, bits as BlockForm['bits'], options, rows, emitter);
    const choice = chosen(asked);
    if (choice === undefined) continue;
    const open = choice.form === 'multipliers' && options.form === undefined;
    choices.set(tensor, open ? { ...choice, instead: chosen(withBlocks(target)) } : choice);
  }
  return { choices, note };
}

/** Whether a product may have fewer than 8 bits: before a Log, only if data was measured. */
function keepsSignal(use: WeightUse, { floor, choosing, trying }: ResolvedOptions): boolean {
  if (floor === undefined || trying) return true;
  if (belowFloor(use, 'low', floor) !== undefined) return false;
  return choosing !== true || holdsFloor(use, 'low', floor) || !meetsLog(use.graph, use.node);
}

/** The usual form, or one with float activations where multipliers do not do: those are int8, without zero points. */
function withActivations(usual: LowForm, options: ResolvedOptions): LowForm {
  const { bits = 8, asymmetric, weightsOnly, target } = options;
  if (usual !== 'multipliers' || bits === 8 || !(weightsOnly || asymmetric)) return usual;
  return withBlocks(target ?? LOW_DEFAULT.target);
}

/** The form with a scale for each block, where integers are multiplied fastest. */
function withBlocks(target: Target): LowForm {
  return target === 'web' ? 'folded' : 'nbits';
}

/** Tables of which whole rows are looked up by ids of a known rank. */
function tables(
  byTensor: ReadonlyMap<Tensor, readonly WeightUse[]>,
  tied: ReadonlySet<Tensor>,
  least: number,
  { block = LOW_DEFAULT.block }: ResolvedOptions,
): Map<Tensor, Choice> {
  const found = new Map<Tensor, Choice>();
  for (const [tensor, all] of byTensor) {
    const [outputs = 1, inputs = 1, ...more] = tensor.dims;
    const rows = (use: WeightUse): boolean =>
      isOp(use.node, 'Gather') && intAttribute(use.node, 'axis', 0) === 0 && idsRank(use) !== undefined;
    const plain = (use: WeightUse): boolean => rows(use) && !use.transposed && !use.reshaped && use.via.length === 0;
    if (more.length > 0 || tied.has(tensor) || outputs * inputs < Math.max(1, least) || !all.every(plain)) continue;
    const shape = { bits: 4, block: Math.min(block, Math.ceil(inputs / 2) * 2), symmetric: true, half: true } as const;
    found.set(tensor, { form: 'table', shape: { ...shape, outputs, inputs }, outFirst: true, factor: 1, tied: false });
  }
  return found;
}

/**
 * A tied table: rows are looked up in the weight of the product. DequantizeLinear is fused only for a product that is
 * the only reader of its integers.
 */
function tiedChoice(
  { dims: [outputs = 1, inputs = 1] }: Tensor,
  uses: readonly WeightUse[],
  asked: LowForm,
  { block = LOW_DEFAULT.block, asymmetric }: ResolvedOptions,
): Choice {
  const rows = !asymmetric && uses.every((use) => isProduct(use) || idsRank(use) !== undefined);
  const form = asked === 'standard' || (asked === 'nbits' && !rows) ? 'folded' : asked;
  const symmetric = asymmetric !== true || form === 'multipliers';
  const [bits, half] = [4 as const, form !== 'multipliers'];
  const shape = { bits, symmetric, half, outputs, inputs, block: blockFor(inputs, form, bits, block) };
  return { form, shape, outFirst: true, factor: 1, tied: true };
}

/** The rank of the ids that rows are looked up by. */
export function idsRank({ graph, node }: WeightUse): number | undefined {
  const ids = node.inputs[1] ?? '';
  return graph.constant(ids)?.tensor.dims.length ?? graph.typeOf(ids)?.dims?.length;
}

/** The weight of the last product of the main graph. */
export function headOf(uses: readonly WeightUse[]): Constant | undefined {
  return uses.filter((use) => isProduct(use) && use.graph.kind === 'graph' && use.graph.parent === undefined).at(-1)
    ?.held;
}

function choiceFor(
  uses: readonly WeightUse[],
  asked: LowForm,
  bits: BlockForm['bits'],
  options: ResolvedOptions,
  rows: Rows,
  emitter: Emitter,
): Choice | undefined {
  const [use] = uses as [WeightUse];
  const { tensor } = use.held;
  const plans = uses.map((one) => (one.reshaped ? undefined : planProduct(emitter, one, false)));
  const [plan] = plans;
  const same = plans.every(
    (one) => one?.given.transposed === plan?.given.transposed && one?.given.factor === plan?.given.factor,
  );
  const product =
    options.plain !== true && same && plan !== undefined && uses.every((one) => gains(one, asked, options, rows));
  const eight = bits === 8 && asked !== 'nbits';
  const columns = (plan?.given.transposed ? tensor.dims[0] : tensor.dims.at(-1)) ?? 1;
  // One matrix per batch is supported only for products on int8.
  const matrix = tensor.dims.length === 2 || eight || asked === 'multipliers';
  const single = matrix && (asked !== 'standard' || (uses.length === 1 && fuses(use, bits, columns)));
  // Without a method, 8-bit weights are written as plain `quantize` does.
  if (eight && options.method === undefined) return undefined;
  const form = !product ? 'folded' : eight ? 'int8' : single ? asked : 'folded';
  const symmetric = eight || options.asymmetric !== true || form === 'multipliers';
  const { outFirst, factor } =
    form === 'folded' || plan === undefined
      ? { outFirst: isOutputsFirst(use), factor: 1 }
      : { outFirst: plan.given.transposed, factor: plan.given.factor };
  const [first = 1] = tensor.dims;
  const outputs = outFirst ? first : (tensor.dims.at(-1) ?? 1);
  const inputs = elementCount(tensor.dims) / outputs;
  const half = form !== 'multipliers' && form !== 'int8';
  const block = eight ? inputs : blockFor(inputs, form, bits, options.block ?? LOW_DEFAULT.block);
  return { form, shape: { bits, symmetric, half, outputs, inputs, block }, outFirst, factor, tied: false };
}

/** Whether ONNX Runtime fuses a DequantizeLinear of blocks for a product, and rightly. */
function fuses({ graph, held }: WeightUse, bits: BlockForm['bits'], outputs: number): boolean {
  const { bodies, columns } = fusedBlocks.value;
  return (bodies || held.graph === graph) && outputs % (columns[bits] ?? 1) === 0;
}

/** Whether a product is no slower in a form than in float; a form that the user named is always used. */
function gains(use: WeightUse, asked: LowForm, options: ResolvedOptions, rows: Rows): boolean {
  if (asked !== 'nbits') return pays(use, options, rows);
  const chosen = options.form === undefined && (options.target ?? LOW_DEFAULT.target) === 'cpu';
  return !chosen || pays(use, { ...options, weightsOnly: true }, rows);
}

/** The block size, or one that holds a whole row if that is shorter: kernels need powers of two and whole bytes. */
function blockFor(inputs: number, form: LowForm | 'int8', bits: number, block: number): number {
  const kernel = form === 'nbits' || form === 'standard';
  const row = kernel ? 2 ** Math.ceil(Math.log2(inputs)) : Math.ceil(inputs / 4) * 4;
  return Math.min(block, Math.max(kernel ? 16 : 8 / bits, row));
}

/** Whether the blocks of a weight that is converted to float run along its rows. */
function isOutputsFirst(use: WeightUse): boolean {
  const { dims } = use.held.tensor;
  return use.reshaped || (weightAxes(use, dims)?.out ?? 0) !== dims.length - 1;
}

/** The opset that all of the choices need. */
export function neededBy(choices: Choices): number {
  return Math.max(0, ...[...choices.values()].map(opsetOf));
}

function opsetOf({ form, shape }: Choice): number {
  switch (form) {
    case 'nbits':
      return 0;
    case 'int8':
      return PER_AXIS_OPSET;
    case 'standard':
      return firstOpset(codesScheme(shape));
    default:
      return UNPACKING_OPSET;
  }
}

/** The uses whose weights get fewer bits. */
export function usesOf(uses: readonly WeightUse[], choices: Choices): WeightUse[] {
  return uses.filter((use) => choices.has(use.held.tensor));
}
