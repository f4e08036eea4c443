// A plugin for plugins.rs: lines of more than 80 characters.

export default function longLines (text) {
  const lines = text.split('\n')
  const problems = lines.map((text, at) => ({ line: at + 1, text }))
  return problems
    .filter(({ text }) => [...text].length > 80)
    .map(({ line, text }) => ({ line, text: `${[...text].length} characters` }))
}
