// One file for the whole workspace: AVA looks upwards from each package. Tiers are in the file names:
// `.test.ts` has no I/O, `.int.test.ts` needs the local stack, `.e2e.test.ts` runs everything.

// Begun first, so that none of them is what a run waits for at its end with one core idle.
const LONG = ['faults/stores.e2e', 'faults/analytics.e2e', 'dispatcher/test/main.int', 'test/recovery.int'];
const rank = (file) => {
  const at = LONG.findIndex((part) => file.includes(part));
  return at < 0 ? LONG.length : at;
};

export default {
  files: ['**/test/**/*.test.ts', '!.volley/**'],
  extensions: ['ts'],
  // A thread that hangs in its end (seen with kafkajs' sockets: busy, no system call) cannot be ended; a process can.
  workerThreads: false,
  sortTestFiles: (a, b) => rank(a) - rank(b) || (a < b ? -1 : 1),
  require: ['./test/exit-when-done.ts'],
  timeout: '120s',
  nodeArguments: ['--disable-warning=TimeoutNegativeWarning'],
};
