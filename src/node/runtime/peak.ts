import { fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CompressError } from '../../errors.ts';
import type { Sample } from '../data/types.ts';
import type { PeakAnswer, PeakQuestion } from './peakChild.ts';

/**
 * The most memory, in bytes, that a process of its own held which loaded the model and ran it three times. Node and
 * ONNX Runtime themselves are in it, some 80 MB.
 * @throws CompressError `runtime` if the process fails or ends
 */
export function peakMemory(model: string, feeds: Sample['feeds'], threads: number | undefined): Promise<number> {
  // Beside this file, or beside the bundle it is part of.
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
