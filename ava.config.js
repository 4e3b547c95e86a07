// One file for the whole workspace: AVA looks upwards from each package. Tiers are in the file names:
// `.test.ts` has no I/O, `.int.test.ts` needs the local stack, `.e2e.test.ts` runs everything.
export default {
  files: ['**/test/**/*.test.ts', '!.volley/**'],
  extensions: ['ts'],
  // A thread that hangs in its end (seen with kafkajs' sockets: busy, no system call) cannot be ended; a process can.
  workerThreads: false,
  require: ['./test/exit-when-done.ts'],
  timeout: '120s',
  nodeArguments: ['--disable-warning=TimeoutNegativeWarning'],
};
