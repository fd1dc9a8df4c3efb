// What applications print, made fit to be shown: as text with the eight colours of terminals, and nothing that acts.
export interface Piece { text: string; style: string }

const kEscape = /\u001b(?:\[([0-?]*)[ -/]*([@-~])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[ -/]*[0-~])?/g;
const kColours = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];
const kControls = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g;
// Marks that reorder what stands around them; letters that are written from right to left need none.
const kReordering = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

const clean = (text: string) => text
  .replace(kControls, '')
  .replace(kReordering, (mark) => `‹U+${mark.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}›`);

function nextStyle(style: string, parameters: string): string {
  let bold = style.includes('bold');
  let colour = /st-ansi-(?!bold)\w+/.exec(style)?.[0] ?? '';
  const codes = parameters.split(';').map(Number);
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i] ?? 0;
    if (code === 0) [bold, colour] = [false, ''];
    else if (code === 1) bold = true;
    else if (code === 22) bold = false;
    else if (code === 39) colour = '';
    else if (code === 38 || code === 48) i += codes[i + 1] === 5 ? 2 : 4;  // Of 256 or more colours: left as it is.
    else if ((code >= 30 && code < 38) || (code >= 90 && code < 98)) colour = `st-ansi-${kColours[code % 10]}`;
  }
  return [colour, bold ? 'st-ansi-bold' : ''].filter(Boolean).join(' ');
}

export function toPieces(line: string): Piece[] {
  const pieces: Piece[] = [];
  let style = '';
  let from = 0;
  const add = (to: number) => {
    const text = clean(line.slice(from, to));
    if (text) pieces.push({ text, style });
  };
  for (const match of line.matchAll(kEscape)) {
    add(match.index);
    from = match.index + match[0].length;
    if (match[2] === 'm') style = nextStyle(style, match[1] ?? '');
  }
  add(line.length);
  return pieces;
}

export const plain = (pieces: Piece[]) => pieces.map(({ text }) => text).join('');

/** Where `wanted` is in `text`, whatever the case of its letters. */
export function findAll(text: string, wanted: string): [number, number][] {
  const found: [number, number][] = [];
  if (!wanted) return found;
  const pattern = new RegExp(wanted.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'giu');
  for (const match of text.matchAll(pattern)) found.push([match.index, match.index + match[0].length]);
  return found;
}

/** The pieces cut where a match begins or ends. */
export function mark(pieces: Piece[], matches: [number, number][]): (Piece & { isMatch: boolean })[] {
  const cuts = matches.flat();
  const result: (Piece & { isMatch: boolean })[] = [];
  let offset = 0;
  for (const { text, style } of pieces) {
    const inside = [0, ...cuts.map((cut) => cut - offset).filter((cut) => cut > 0 && cut < text.length), text.length];
    for (let i = 0; i + 1 < inside.length; i += 1) {
      const [begin, end] = [inside[i] ?? 0, inside[i + 1] ?? 0];
      if (end > begin) result.push({ text: text.slice(begin, end), style, isMatch: matches.some(([from, to]) => offset + begin >= from && offset + begin < to) });
    }
    offset += text.length;
  }
  return result;
}
