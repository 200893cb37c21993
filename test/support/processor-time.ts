/** Time that does not pass while other programs have their turn, for tests that bound how much work something is. */

/** Milliseconds that a call keeps this process's threads busy. */
export function processorTime(call: () => void): number {
  const before = process.cpuUsage();
  call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
