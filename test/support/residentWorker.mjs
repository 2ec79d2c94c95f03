// Takes command lines from a thread that waits for each, and passes them on to residentChild.mjs: see resident.ts.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { workerData } from 'node:worker_threads';

const { port, answered, env } = workerData;
const path = fileURLToPath(new URL('residentChild.mjs', import.meta.url));
const child = fork(path, {
  serialization: 'advanced',
  execArgv: [],
  stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  env,
});

child.stdout.resume();
port.on('message', (request) => {
  if (request === undefined) end();
  else if (child.connected) child.send(request);
  else answer({ error: 'its process has ended' });
});
child.on('message', answer);
child.on('exit', ended);

function ended(code, signal) {
  answer({ error: `its process ended with ${code ?? signal}` });
}

/** This thread ends when the process has. */
function end() {
  child.off('exit', ended);
  if (child.connected) child.disconnect();
  port.close();
}

function answer(message) {
  port.postMessage(message);
  Atomics.store(answered, 0, 1);
  Atomics.notify(answered, 0);
}
