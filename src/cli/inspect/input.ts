import { basename } from 'node:path';
import type { Source } from '../../bytes/source.ts';
import { CompressError } from '../../errors.ts';
import type { Model } from '../../ir/model.ts';
import { stdinSource } from '../../node/files/spool.ts';
import { refuseBeginning } from '../../onnx/beginning.ts';
import { planModel } from '../../onnx/plan.ts';
import { DASH } from '../arguments.ts';
import { openPath, openSource } from '../open.ts';
import { plannedBytes, type Streams } from '../pipe.ts';

/** A model that can be opened several times. */
export interface Input {
  /** The name that reports use. */
  readonly label: string;
  open(): Promise<Model>;
  /** Bytes the model would have if it were written next to itself, data files included. */
  byteLengthOf(model: Model): number;
  /**
   * Checks that the input did not change while it was read, if it came through a pipe as a file of the previous
   * command.
   * @throws CompressError `io` if it changed
   */
  unchanged(): Promise<void>;
  close(): Promise<void>;
}

/**
 * The model that an argument names: a path, or standard input, whose bytes are kept until {@link Input.close}.
 * @throws CompressError `options` if there is none
 */
export async function inputOf(path: string | undefined, streams: Pick<Streams, 'stdin'>): Promise<Input> {
  if (path === '') {
    throw new CompressError('options', 'model', 'the file name is empty', {
      hint: 'Is a variable of the script empty?',
    });
  }
  const dataName = `${basename(path === undefined || path === DASH ? 'model.onnx' : path)}.data`;
  const byteLengthOf = (model: Model): number => {
    return plannedBytes(planModel(model, { mode: 'auto', dataName }), model);
  };
  if (path !== undefined && path !== DASH) {
    return { label: path, open: () => openPath(path), byteLengthOf, unchanged: async () => {}, close: async () => {} };
  }
  if (streams.stdin.isTTY) {
    throw new CompressError('options', '', 'no model is given, and standard input is a terminal', {
      hint: 'Give the path of an .onnx file, or pipe one in.',
    });
  }
  const source = await stdinSource(() => streams.stdin as AsyncIterable<Uint8Array>, refuseBeginning);
  // A model closes its source, but this one is needed again.
  const shared: Source = { ...source, close: async () => {} };
  return {
    label: '<stdin>',
    open: () => openSource(shared),
    byteLengthOf,
    unchanged: async () => source.unchanged?.(),
    close: () => source.close(),
  };
}
