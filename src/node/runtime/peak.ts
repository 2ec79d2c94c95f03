import { fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CompressError } from '../../errors.ts';
import type { Sample } from '../data/types.ts';
import type { PeakAnswer, PeakQuestion } from './peakChild.ts';

/**
 * Peak memory, in bytes, of a process that loads the model and runs it three times. This includes about 80 MB for Node
 * and ONNX Runtime.
 * @throws CompressError `runtime` if the process fails or ends
 */
export function peakMemory(model: string, feeds: Sample['feeds'], threads: number | undefined): Promise<number> {
  // Next to this file, or next to the bundle that contains it.
  const child = fork(fileURLToPath(new URL(`./peakChild${extname(import.meta.url)}`, import.meta.url)), {
    serialization: 'advanced',
  });
  return new Promise((resolve, reject) => {
    const fail = (fact: string): void => reject(new CompressError('runtime', model, fact));
    child.on('error', (cause) => fail(`no process could be started to measure memory: ${cause.message}`));
    child.on('exit', (code, signal) => fail(`the process that measures memory ended with ${signal ?? `code ${code}`}`));
    child.on('message', (answer: PeakAnswer) => {
      if ('error' in answer) fail(answer.error);
      else resolve(answer.peakBytes);
      child.kill();
    });
    const question: PeakQuestion = { model, feeds, threads };
    child.send(question);
  });
}
