import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The documents, and the parts of Markdown that the tests look at. */

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** A page, by its path from the root of the repository. */
export interface Document {
  path: string;
  text: string;
}

export interface CodeBlock {
  document: string;
  /** `sh`, `json`, … */
  language: string;
  /** What stands behind the language, e.g. the name of a message. */
  label: string;
  code: string;
}

const folder = (path: string): string[] =>
  readdirSync(join(ROOT, path))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(path, name));

export const documents = (): Document[] =>
  [...folder('.'), ...folder('docs'), ...folder('docs/decisions')].map((path) => ({ path, text: read(path) }));

/** Files of our own code below a folder. */
export const sources = (path: string): Document[] =>
  readdirSync(join(ROOT, path), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => ({ path: join(path, name), text: read(join(path, name)) }));

const FENCE = /^```(\S*) ?(.*)\n([\s\S]*?)^```$/gm;

export const codeBlocks = ({ path, text }: Document): CodeBlock[] =>
  [...text.matchAll(FENCE)].map(([, language = '', label = '', code = '']) => ({
    document: path,
    language,
    label,
    code,
  }));

export const withoutCodeBlocks = (text: string): string => text.replace(FENCE, '');

/** `code` within the text. */
export const codeSpans = ({ text }: Document): string[] =>
  [...withoutCodeBlocks(text).matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);

export interface Link {
  document: string;
  target: string;
}

export const links = ({ path, text }: Document): Link[] =>
  [...withoutCodeBlocks(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => ({ document: path, target }));

/** The anchors of a page's headings, as GitHub and GitLab make them. */
export const anchors = (text: string): string[] =>
  [...withoutCodeBlocks(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

/** The path, from the root, of what a link in a document points to. */
export const resolved = (from: string, target: string): string =>
  relative(ROOT, join(ROOT, dirname(from), decodeURIComponent(target)));

/** Cells of every row of every table. */
export const rows = (text: string): string[][] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
