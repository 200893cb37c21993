import { describe } from 'node:test';
import { MemoryStore } from '../../src/store/memory.ts';
import { storeContract } from './contract.ts';

// Wrapped in a suite, because tests are otherwise reported under the file of the contract.
describe('the store in memory', () => {
  storeContract('MemoryStore', () => {
    const store = new MemoryStore();
    return Promise.resolve(() => store);
  });
});
