import type { Change, SkipReason } from '../layers/skip.ts';
import type { PassReport } from '../passes/pass.ts';
import { formatBytes } from '../passes/size.ts';
import type { RunReport } from './pipe.ts';
import { POOR_OUTPUT, poorWeights, worstOutput } from './poor.ts';
import { count } from './text.ts';
import { sum, zerosOf } from './verdict.ts';

/** Predicted bytes per weight in 8 and in 4 bits, including scales. */
const [BYTE, NIBBLE] = [1.06, 0.56];
/** A step is worth suggesting if it leaves at most this share of the size. */
const PAYS = 0.9;
/** Integers are worth suggesting if they are expected to take less than this share of the time. */
const FASTER = 0.87;
/** Size in bytes from which fewer than 8 bits are worth suggesting for matrix products. */
const LARGE = 1_000_000;
/** SQNR of an output in dB below which a pruned model needs a look at its accuracy before anything else. */
const RUINED = 10;
/** Share of zeros from which they are worth a word. */
const FEW = 0.01;
/** Reasons for which weights stay float that could be stored in 16 bits. */
const HALVED: ReadonlySet<SkipReason> = new Set(['unsupported_op', 'unsupported_rank', 'unknown_rank', 'no_product']);

/** The next step that would help this model most, as far as is known; undefined if none would. */
export function nextStep(report: RunReport): string | undefined {
  const last = report.passes.at(-1);
  if (last === undefined || report.reader === 'ours') return undefined;
  const steps = STEPS[last.pass] ?? [];
  for (const step of steps) {
    const found = step(report, last);
    if (found !== undefined) return found;
  }
  return undefined;
}

type Step = (report: RunReport, last: PassReport) => string | undefined;

const STEPS: Readonly<Record<string, readonly Step[]>> = {
  prune: [measureFirst, smallerThanZeros],
  channels: [measureFirst, smallerFloats],
  quantize: [keepWorst, packZeros, calibrate, halveRest, fewerBits, verify],
};

function isFloating({ dtype }: Change): boolean {
  return dtype.includes('float');
}

/** The size of a weight as a bit mask and its nonzero values. */
function masked({ elements, zeros = 0 }: Change, size: number): number {
  return elements / 8 + (elements - zeros) * size;
}

/** For outputs of which little is left. */
function measureFirst({ check }: RunReport): string | undefined {
  const output = worstOutput(check);
  if (output === undefined || output.sqnr >= RUINED) return undefined;
  return (
    'onnx-compress verify --data DATA measures the accuracy that is left, if DATA has labels; a smaller ' +
    'amount leaves more'
  );
}

/** For pruned weights: zeros are stored like all other numbers until a model is quantized or packed. */
function smallerThanZeros({ passes, after }: RunReport, { changes }: PassReport): string | undefined {
  const pruned = zerosOf(passes);
  if (pruned === undefined || passes.some((one) => one.pass === 'pack')) return undefined;
  const others = after - sum(changes, (one) => one.after);
  const floats = changes.filter(isFloating);
  const quantized = others + sum(changes, (one) => (isFloating(one) ? one.elements * BYTE : one.after));
  const packed = others + sum(changes, (one) => masked(one, one.after / one.elements));
  const both = others + sum(changes, (one) => masked(one, isFloating(one) ? BYTE : one.after / one.elements));
  const few = pruned.zeros < FEW * pruned.elements;
  const zeros = few ? '' : 'zeros alone make a model neither smaller nor faster: ';
  const pack = (bytes: number): string => `onnx-compress pack leaves them out (about ${formatBytes(bytes)})`;
  if (floats.length === 0) return packed < PAYS * after ? `${zeros}${pack(packed)}` : undefined;
  const quantize = `onnx-compress quantize stores weights in 8 bits (about ${formatBytes(quantized)})`;
  return both < PAYS * quantized ? `${zeros}${quantize}, then ${pack(both)}` : `${zeros}${quantize}`;
}

/** For removed channels: the remaining weights are still float. */
function smallerFloats({ after }: RunReport, { changes }: PassReport): string | undefined {
  const floats = changes.filter(isFloating);
  const quantized = after - sum(floats, (one) => one.after - ((one.elements * one.after) / one.before) * BYTE);
  if (floats.length === 0 || quantized > PAYS * after) return undefined;
  return `onnx-compress quantize stores the weights in 8 bits (about ${formatBytes(quantized)})`;
}

/** If some layers lose too much. */
function keepWorst({ check }: RunReport, { changes }: PassReport): string | undefined {
  const output = worstOutput(check);
  const poor = sum([...poorWeights(changes).values()], (list) => list.length);
  if (poor === 0 && (output === undefined || output.sqnr >= POOR_OUTPUT)) return undefined;
  const which =
    poor === 0 ? 'which layers' : `which of ${poor === 1 ? 'this layer and others' : `these ${poor} layers`}`;
  return `onnx-compress tune finds out ${which} must stay float; --exclude NAME keeps them float`;
}

/** For weights that were pruned earlier in the same run. */
function packZeros({ passes, after }: RunReport, { changes }: PassReport): string | undefined {
  const pruned = new Map(
    passes.flatMap((one) => (one.pass === 'prune' ? one.changes : [])).map((one) => [one.weight, one]),
  );
  const gain = sum(changes, (one) => {
    const zeros = pruned.get(one.weight)?.zeros;
    return zeros === undefined ? 0 : Math.max(0, one.after - masked({ ...one, zeros }, one.after / one.elements));
  });
  if (after - gain > PAYS * after) return undefined;
  return `onnx-compress pack leaves out the zeros (about ${formatBytes(after - gain)})`;
}

/** For Conv layers that are smaller now, but no faster. */
function calibrate(_: RunReport, { facts = [] }: PassReport): string | undefined {
  const stored = facts.find((one) => one.kind === 'stored_convs');
  if (stored === undefined || stored.time > FASTER) return undefined;
  const convs = stored.weights === 1 ? 'the Conv layer' : `the ${stored.weights} Conv layers`;
  return `--calibrate DATA runs ${convs} on integers, and measures how much faster that is`;
}

/** For weights that have no 8-bit form. */
function halveRest({ after }: RunReport, { skips }: PassReport): string | undefined {
  const left = skips.filter(({ reason }) => HALVED.has(reason));
  const bytes = sum(left, (one) => one.bytes);
  if (bytes / 2 < (1 - PAYS) * after) return undefined;
  const halved = `${count(left.length, 'weight')} that stay float (about ${formatBytes(after - bytes / 2)})`;
  return `onnx-compress quantize --float16 of the result halves the ${halved}`;
}

/** For matrix products of a large model. */
function fewerBits({ after }: RunReport, { changes }: PassReport): string | undefined {
  const products = changes.filter(({ opType, bits = 8 }) => bits === 8 && /^(MatMul|Gemm)$/.test(opType));
  const less = after - sum(products, (one) => one.after - one.elements * NIBBLE);
  if (after < LARGE || less > 0.75 * after) return undefined;
  return `--int4 stores products in 4 bits (about ${formatBytes(less)}), with less loss if --calibrate DATA is given`;
}

/** If the loss of the outputs was not measured. */
function verify({ check, output, input }: RunReport, { changes }: PassReport): string | undefined {
  if (
    check !== undefined ||
    changes.length === 0 ||
    output === undefined ||
    output.startsWith('<') ||
    input.startsWith('<')
  )
    return undefined;
  return 'onnx-compress verify measures the accuracy of the outputs (--check also times both models)';
}
