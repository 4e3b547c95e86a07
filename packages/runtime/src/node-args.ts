/**
 * With these a service is started. kafkajs sets timers that are due already, about which Node warns. And V8 by itself gives a
 * process on a large machine 128 MiB for what is new: a quarter of what a busy service held, and none of its speed (docs/adr/0017).
 */
export const NODE_ARGS: readonly string[] = ['--disable-warning=TimeoutNegativeWarning', '--max-semi-space-size=8'];
