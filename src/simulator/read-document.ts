import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { InputError } from './problems.js';

/** Reads a YAML or JSON file. Throws `InputError` where it cannot be read or parsed. */
export function readDocument(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new InputError(file, [{ path: '', value: (error as Error).message, expected: 'a readable file' }]);
  }
  try {
    return parse(text);
  } catch (error) {
    const value = (error as Error).message.split('\n')[0] ?? 'unreadable';
    throw new InputError(file, [{ path: '', value, expected: 'YAML or JSON' }]);
  }
}
