// The small faults that a line of C could have: each condition turned round, each bound one off, each statement forgotten.
// Nothing is parsed that mutate.mjs can leave to the compiler.

const SWAPS = { "==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">", "&&": "||", "||": "&&" };
const SWAPPED = /(?<![-<>=!])(?:[=!<>]=|[<>])(?![<>=])|&&|\|\|/g;
const CONSTANT = /(?<![\w.])(?:0[xX][\da-fA-F]+|\d+)[uUlL]*(?![\w.])/g;
// Two words in a row, such as `struct view rest` and `char *out`, that are no expression.
const DECLARATION = /^(?:[A-Za-z_]\w*\b[\s*]*)+\s[\s*]*[A-Za-z_]\w*\s*(?:[=;,[]|$)/;
const CLOSING = { "(": ")", "[": "]", "{": "}" };

// The text with blanks in the place of what is no code: comments, what quotes hold, preprocessor lines, static assertions.
function codeOf(text) {
  const blank = (found) => found.replace(/[^\n]/g, " ");
  return text
    .replace(/\/\*[^]*?\*\/|\/\/.*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, (found) => {
      return /^["']/.test(found) ? found[0] + blank(found.slice(1, -1)) + found[0] : blank(found);
    })
    .replace(/^[ \t]*#(?:.*\\\n)*.*/gm, blank)
    .replace(/\b(?:_Static_assert|static_assert)\s*\([^;]*;/g, blank);
}

// Mutants of a source text: {start, end, text} replaces that part of it; no line moves. `lines` are the first and last one of the
// statement that is changed.
export function mutantsOf(text) {
  const code = codeOf(text);
  const found = [];
  let type, statementAt;

  const lineOf = (at) => text.slice(0, at).split("\n").length;

  function add(operator, start, end, replacement) {
    const lost = text.slice(start, end).split("\n").length - replacement.split("\n").length;
    const column = start - text.lastIndexOf("\n", start - 1);
    found.push({ operator, start, end, text: replacement + "\n".repeat(lost), line: lineOf(start), column, lines: [lineOf(statementAt), lineOf(end - 1)] });
  }

  // Past the bracket that closes the one at `at`.
  function past(at) {
    for (let open = [], i = at; i < code.length; i++) {
      if (CLOSING[code[i]]) open.push(CLOSING[code[i]]);
      else if (code[i] === open.at(-1) && (open.pop(), open.length === 0)) return i + 1;
    }
    throw new Error(`line ${lineOf(at)}: ${code[at]} is never closed`);
  }

  // The first of `ends` outside of brackets.
  function find(ends, at) {
    while (at < code.length && !ends.includes(code[at])) at = CLOSING[code[at]] ? past(at) : at + 1;
    return at;
  }

  const skip = (at) => at + /^\s*/.exec(code.slice(at))[0].length;

  function negate(start, end) {
    start = skip(start);
    end = start + code.slice(start, end).trimEnd().length;
    if (start < end) add("negate condition", start, end, `!(${text.slice(start, end)})`);
  }

  function count(start, end) {
    for (const { 0: number, index } of code.slice(start, end).matchAll(CONSTANT)) {
      const at = start + index;
      for (const other of [`(${number} + 1)`, `(${number} - 1)`]) add(`${number} -> ${other}`, at, at + number.length, other);
    }
  }

  function condition(start, end) {
    negate(start, end);
    count(start, end);
  }

  function expression(start, end) {
    for (const { 0: sign, index } of code.slice(start, end).matchAll(SWAPPED)) {
      add(`${sign} -> ${SWAPS[sign]}`, start + index, start + index + sign.length, SWAPS[sign]);
    }
    for (let at = start; (at = code.indexOf("?", at)) >= 0 && at < end; at++) {
      let from = at, depth = 0;
      for (; from > start; from--) {
        const before = code[from - 1];
        if (/[)\]}]/.test(before)) depth++;
        else if (/[([{]/.test(before) && depth-- === 0) break;
        else if (depth === 0 && (/[,;?:]/.test(before) || (before === "=" && !/[=!<>]/.test(code[from - 2]) && code[from] !== "="))) break;
      }
      condition(from + (/^\s*return\b/.exec(code.slice(from, at))?.[0].length ?? 0), at);
    }
  }

  function giveBack(start, end) {
    const value = text.slice(start, end).trim();
    start = skip(start);
    end = start + value.length;
    if (type === "bool" && /^(true|false)$/.test(value)) {
      const other = value === "true" ? "false" : "true";
      add(`return ${value} -> ${other}`, start, end, other);
    } else if (type === "bool") {
      condition(start, end);
    } else if (value) {
      const other = value === "0" ? "1" : /^struct \w+$/.test(type) ? `(${type}){0}` : "0";
      add(`return -> ${other}`, start, end, other);
    }
  }

  function part(name, at) {
    const start = skip(at);
    const end = statement(start);
    const outer = statementAt;
    statementAt = start;
    add(`drop ${name}`, start, end, code[start] === "{" ? "{}" : ";");
    statementAt = outer;
    return end;
  }

  // One statement with all in it; the place behind it.
  function statement(at) {
    at = skip(at);
    if (code[at] === "{") {
      for (at++; code[(at = skip(at))] !== "}";) at = statement(at);
      return at + 1;
    }
    const outer = statementAt;
    statementAt = at;
    const end = statementOf(/^\w*/.exec(code.slice(at))[0], at);
    statementAt = outer;
    return end;
  }

  function statementOf(word, at) {
    const open = skip(at + word.length);
    if (/^(if|while|for|switch)$|ForEach$/.test(word)) {
      const close = past(open) - 1;
      expression(open + 1, close);
      if (word === "for") condition(find(";", open + 1) + 1, find(";", find(";", open + 1) + 1));
      else if (/^(if|while)$/.test(word)) condition(open + 1, close);
      if (word !== "if") return statement(close + 1);
      const end = part("body", close + 1);
      if (!/^\s*else\b/.test(code.slice(end))) return end;
      const other = skip(end) + 4;
      return /^\s*if\b/.test(code.slice(other)) ? statement(other) : part("else", other);
    }
    if (word === "do") {
      const header = code.indexOf("(", statement(open));
      condition(header + 1, past(header) - 1);
      expression(header + 1, past(header) - 1);
      return find(";", header) + 1;
    }
    if (/^(case|default)$/.test(word) || /^\s*:/.test(code.slice(at + word.length))) return find(":", at) + 1;
    const end = find(";", at);
    expression(at, end);
    if (word === "return" && open < end) giveBack(at + word.length, end);
    else if (end > at && !(DECLARATION.test(code.slice(at, end)) && !/^(return|goto|break|continue)$/.test(word))) add("drop statement", at, end + 1, ";");
    return end + 1;
  }

  for (let at = 0, begin = 0; (at = find("{;", at)) < code.length; begin = at) {
    const head = code.slice(begin, at);
    if (code[at] === ";" || !/\)\s*$/.test(head)) {
      at = code[at] === ";" ? at + 1 : past(at);
      continue;
    }
    type = /^([^(]*?)\w+\s*\(/.exec(head)?.[1].replace(/\b(static|inline|CHECKED|const)\b/g, "").trim() ?? "";
    at = statement(at);
  }
  // A change that two rules make is one.
  const known = new Map(found.map((mutant) => [text.slice(0, mutant.start) + mutant.text + text.slice(mutant.end), mutant]));
  return [...known.values()].sort((a, b) => a.start - b.start || a.end - b.end);
}
