/** Runs a lab router as its own process. Its argument is its options as JSON; it prints a line for each change. */
import { LabRouter } from '../../src/lab/router.ts';

const router = new LabRouter({
  ...JSON.parse(process.argv[2] ?? ''),
  onChange: ({ kind, text }: { readonly kind: string; readonly text: string }) => console.log(kind, text),
});
const { port } = await router.start();
console.log('listening', port);
process.once('SIGTERM', () => router.close());
