/** Child processes of tests that answer requests, one at a time. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A process that answers each message. */
export interface Child<Request, Answer> {
  /** @returns its answer, or why there is none */
  ask(request: Request): Promise<Answer | { readonly error: string }>;
  close(): Promise<void>;
}

/** Starts a module of this folder as a process, which must be closed. */
export function startChild<Request extends object, Answer>(
  file: string,
  args: readonly string[] = [],
): Child<Request, Answer> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = fork(path, args, { serialization: 'advanced', execArgv: [] });
  // A child that a test forgot to close ends with the process of the test.
  child.unref();
  child.channel?.unref();
  return {
    async ask(request) {
      const ending = new AbortController();
      const { signal } = ending;
      child.channel?.ref();
      try {
        const answer = once(child, 'message', { signal }).then(([one]) => one as Answer);
        const ended = once(child, 'exit', { signal }).then(([code]) => ({ error: `its process ended with ${code}` }));
        child.send(request);
        return await Promise.race([answer, ended]);
      } finally {
        ending.abort();
        child.channel?.unref();
      }
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill();
      await once(child, 'exit');
    },
  };
}
