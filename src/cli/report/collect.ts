import { CompressError } from '../../errors.ts';
import type { Model } from '../../ir/model.ts';
import { inspectKernels } from '../../node/recipes/inspectKernels.ts';
import { ownVersion, runtimeVersion } from '../../node/version.ts';
import { PROGRAM } from '../../options/verbs.ts';
import { type EqualizeOptions, equalize } from '../../passes/equalize/index.ts';
import { fold } from '../../passes/fold/index.ts';
import { unpackWeights } from '../../passes/pack/unpack.ts';
import { openPath } from '../open.ts';
import type { RunReport } from '../pipe.ts';
import type { Progress } from '../progress.ts';
import { verdictOf } from '../verdict.ts';
import type { ReportCheck, ReportData, ReportLayer, Sensitivity, Verdict } from './data.ts';
import { layerRows, plainDecibels } from './layers.ts';
import { bytesOf, hashed, outsideOf } from './side.ts';

/** What a report is made from. */
export interface Collected {
  readonly report: RunReport;
  /** The command line, without the program. */
  readonly argv: readonly string[];
  /** The model before the run; collecting changes it. */
  readonly before: Model;
  /** Path of what was written, or of a copy of it. */
  readonly written: string;
  /** How channel scales were equalized before weights were quantized, if they were. */
  readonly equalized: EqualizeOptions | undefined;
  readonly sensitivity: () => Promise<Sensitivity | null>;
  /** Shows the progress of one part of the work. */
  readonly progress: (what: string, unit: 'times' | 'bytes') => Progress;
}

/** Collects all that the page shows. Large weights are sampled; the digests read every byte of the files. */
export async function collect(from: Collected): Promise<ReportData> {
  const { report, before, progress } = from;
  const runtime = runtimeVersion();
  const after = await openPath(from.written);
  try {
    // Must come before the comparison, which changes the models.
    const [old, now] = [await outsideOf(before, report.input), await outsideOf(after, report.output ?? '')];
    const layers = await compared(from, after);
    const bar = progress('hashing', 'bytes');
    const total = bytesOf(before) + bytesOf(after);
    let read = 0;
    const onRead = (bytes: number): void => {
      read += bytes;
      bar(read, total);
    };
    const [input, output] = [
      { ...old, files: await hashed(before, old.name, onRead) },
      { ...now, files: await hashed(after, now.name, onRead) },
    ];
    return {
      summary: verdictOf(report, (text) => text),
      command: [PROGRAM, ...from.argv].map(quoted).join(' '),
      versions: [
        { name: PROGRAM, version: ownVersion() },
        { name: 'ONNX Runtime', version: runtime ?? 'onnxruntime-node is not installed' },
        { name: 'Node.js', version: `${process.versions.node}, ${process.platform} ${process.arch}` },
      ],
      ...{ input, output, layers },
      notes: report.notes,
      passes: report.passes.map(({ pass, notes, skips }) => ({
        pass,
        notes,
        skips: skips.map(({ weight, node, opType, elements, reason, detail }) => {
          return { weight, node, opType, elements, reason, detail };
        }),
      })),
      verdict: await loadingOf(from.written, report),
      check: checkOf(report),
      sensitivity: await from.sensitivity(),
    };
  } finally {
    await after.close();
  }
}

async function compared(
  { before, report, equalized, progress }: Collected,
  after: Model,
): Promise<readonly ReportLayer[]> {
  const { passes } = report;
  await unpackWeights(after);
  await unpackWeights(before);
  // Folding is no noise, so new weights are compared with the folded ones.
  const folded = passes.some(({ facts = [] }) => facts.some((fact) => fact.kind === 'folded'));
  if (folded) await fold().run(before);
  if (equalized !== undefined) await equalize(equalized).run(before);
  return layerRows(before, after, passes, progress('comparing', 'bytes'));
}

/** The figures of a check, if there was one. */
function checkOf({ check }: RunReport): ReportCheck | null {
  if (check === undefined || typeof check === 'string') return null;
  const { data, samples, outputs, ratio } = check;
  return { data, samples, ratio, outputs: outputs.map(({ name, sqnr }) => ({ name, sqnr: plainDecibels(sqnr) })) };
}

/** Loads the model in ONNX Runtime and describes what it will run. */
async function loadingOf(path: string, { output = '', passes }: RunReport): Promise<Verdict> {
  try {
    const { kernels, unfused, madeFloat } = await inspectKernels(path);
    return {
      kind: 'asked',
      ...{ kernels, madeFloat, halves: storedHalves(passes) },
      unfused: unfused.map(({ weight, node, opType, why }) => ({ weight, node, opType, why })),
    };
  } catch (cause) {
    if (!(cause instanceof CompressError)) throw cause;
    return { kind: 'not_asked', why: `ONNX Runtime could not be queried: ${cause.message.replaceAll(path, output)}` };
  }
}

/** How many weights are stored in 16 bits but used as float32. */
function storedHalves(passes: RunReport['passes']): number {
  const storing = passes.filter(
    ({ pass, facts = [] }) => pass === 'float16' && !facts.some((fact) => fact.kind === 'float16'),
  );
  return storing.reduce((sum, { changes }) => sum + changes.length, 0);
}

/** An argument quoted for a POSIX shell. */
export function quoted(argument: string): string {
  if (/^[\w@%+=:,./-]+$/.test(argument)) return argument;
  return `'${argument.replaceAll("'", "'\\''")}'`;
}
