import { describe } from 'node:test';
import { MemoryStore } from '../../src/store/memory.ts';
import { storeContract } from './contract.ts';

// A suite of its own: the contract's tests are reported by the file that they stand in.
describe('the store in memory', () => {
  storeContract('MemoryStore', () => {
    const store = new MemoryStore();
    return Promise.resolve(() => store);
  });
});
