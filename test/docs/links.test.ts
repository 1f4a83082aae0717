import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { anchors, documents, links, ROOT, read, resolved, rows } from './markdown.js';

const internal = documents()
  .flatMap(links)
  .filter(({ target }) => !/^[a-z]+:/.test(target));

function leadsSomewhere(document: string, target: string): boolean {
  const [path = '', anchor] = target.split('#');
  const page = path === '' ? document : resolved(document, path);
  if (!existsSync(join(ROOT, page))) return false;
  return anchor === undefined || anchors(read(page)).includes(anchor);
}

describe('links between the documents', () => {
  test('lead to files and headings that exist', () => {
    expect(internal.length).toBeGreaterThan(100);
    expect(internal.filter(({ document, target }) => !leadsSomewhere(document, target))).toEqual([]);
  });

  test('every document is linked from another one', () => {
    const linked = internal.map(({ document, target }) => resolved(document, target.split('#')[0] ?? ''));
    const lonely = documents().filter(({ path }) => path !== 'README.md' && !linked.includes(path));
    expect(lonely.map(({ path }) => path)).toEqual([]);
  });

  test('every record of a decision has its four parts', () => {
    for (const { path, text } of documents().filter((d) => /^docs\/decisions\/\d/.test(d.path))) {
      const headings = [...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
      expect(headings, path).toEqual(['Context', 'Decision', 'Alternatives', 'Consequences']);
    }
  });

  test('tables have as many cells in every row as in their head', () => {
    for (const { path, text } of documents()) {
      for (const table of text.split(/\n(?!\|)/).filter((part) => part.startsWith('|'))) {
        const widths = new Set(rows(table).map((row) => row.length));
        expect(widths.size, `${path}: ${table.slice(0, 80)}`).toBe(1);
      }
    }
  });
});
