import assert from 'node:assert/strict';
import { it } from 'node:test';
import { bytesField, numberField } from '../../bench/drivers/protobuf.ts';

// The examples of the protobuf documentation, "Encoding".
it('writes a varint field', () => {
  assert.equal(numberField(1, 150).toString('hex'), '089601');
});

it('writes text behind its length', () => {
  assert.equal(bytesField(2, 'testing').toString('hex'), '120774657374696e67');
});

it('leaves out a number that is the default', () => {
  assert.equal(numberField(1, 0).length, 0);
});
