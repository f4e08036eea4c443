// Command line arguments: the same flags as the Rust halves have.

import { basename, relative } from 'node:path'
import { parseArgs } from 'node:util'

/** What every half has. */
const EVERYWHERE = { help: { help: 'Print help' } }

/**
 * Reads the command line, and ends the program on --help or a mistake.
 *
 * `spec` has an entry per argument: `{ value, default, help, parse }`; one
 * without `value` is a switch, one with `positional: true` goes without its
 * name, one with `multiple: true` may be repeated and is a list, one with
 * `rest: true` is a list of all that follows `--`. Answers an
 * object with the parsed values.
 */
export function args(about, spec) {
  const all = { ...spec, ...EVERYWHERE }
  const names = Object.keys(all)
  const positional = names.filter(name => all[name].positional)
  const rest = names.find(name => all[name].rest)
  const named = names.filter(name =>
    !all[name].positional && !all[name].rest)
  const words = process.argv.slice(2)
  const end = rest && words.includes('--') ? words.indexOf('--') : Infinity
  try {
    const { values, positionals } = parseArgs({
      args: words.slice(0, end),
      allowPositionals: positional.length > 0,
      options: Object.fromEntries(named.map(name =>
        [name, {
          type: all[name].value ? 'string' : 'boolean',
          multiple: all[name].multiple ?? false,
        }])),
    })
    if (values.help) {
      console.log(help(about, all, positional, named, rest))
      process.exit()
    }
    if (positionals.length > positional.length) {
      throw Error(`unexpected argument '${positionals[positional.length]}'`)
    }
    return Object.fromEntries(names.map(name => {
      if (name === rest) return [name, words.slice(end + 1)]
      const { default: otherwise, parse = value => value } = all[name]
      const at = positional.indexOf(name)
      const given = at < 0 ? values[name] : positionals[at]
      try {
        return [name, parse(given ?? otherwise)]
      } catch (error) {
        const shown = at < 0 ? `--${name}` : name.toUpperCase()
        throw Error(`invalid value '${given}' for ${shown}: ${error.message}`)
      }
    }))
  } catch (error) {
    console.error(`error: ${error.message}\n\n${usage(positional, rest)}`)
    process.exit(2)
  }
}

/** 'HOST:PORT', as Rust's standard library reads it: '[::1]:8888' too. */
export function address(text) {
  const parts = /^(?:\[(.*:.*)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  if (!parts || Number(parts[3]) > 65535) {
    throw Error('expected HOST:PORT, like 127.0.0.1:8888 or [::1]:8888')
  }
  return { host: parts[1] ?? parts[2], port: Number(parts[3]) }
}

/** HOST:PORT of a listening server, to be shown. */
export function shownAddress({ address, family, port }) {
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`
}

/** HOST:PORT of a socket's other end, to be shown. */
export function peerAddress({ remoteAddress, remoteFamily, remotePort }) {
  // Node asks for it late: a client may have gone by then.
  if (remoteAddress === undefined) return '(gone)'
  return shownAddress(
    { address: remoteAddress, family: remoteFamily, port: remotePort })
}

/** The text's number, which must lie between the two. */
export function wholeNumber(text, least, most = Number.MAX_SAFE_INTEGER) {
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < least || number > most) {
    throw Error(`expected a whole number from ${least} to ${most}`)
  }
  return number
}

function usage(positional, rest) {
  const script = relative('', process.argv[1]) || basename(process.argv[1])
  return ['Usage: node', script, '[OPTIONS]',
    ...positional.map(name => `[${name.toUpperCase()}]`),
    ...rest ? [`[-- ${rest.toUpperCase()}...]`] : []].join(' ')
}

function help(about, all, positional, named, rest) {
  const row = (name, { help, default: otherwise }) =>
    `  ${name.padEnd(18)} ${help}` +
    (otherwise?.length > 0 ? ` [default: ${otherwise}]` : '')
  const unnamed = [...positional, ...rest ? [rest] : []]
  return [about, '', usage(positional, rest), '',
    ...unnamed.length ? ['Arguments:'] : [],
    ...unnamed.map(name => row(`[${name.toUpperCase()}]`, all[name])),
    ...unnamed.length ? [''] : [],
    'Options:',
    ...named.map(name => row(
      `--${name}${all[name].value ? ` <${all[name].value}>` : ''}`,
      all[name])),
  ].join('\n')
}
