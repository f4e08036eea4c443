// The path of the pipe: of a Unix socket, or a name on Windows.

const isWindows = process.platform === 'win32'

/** Where servers listen and clients connect, unless told otherwise. */
export const DEFAULT_PATH = isWindows ? '\\\\.\\pipe\\echo' : '/tmp/unix.sock'

// What fits into a sockaddr_un, without the final zero.
const LONGEST = process.platform === 'linux' ? 107 : 103

/** The path, unless Node would silently take it for another one. */
export function checked(path) {
  // Without a path, connect() tries TCP.
  if (path === '') throw Error('the path is empty')
  // Arguments are decoded as UTF-8, and what is not becomes U+FFFD.
  if (path.includes('\ufffd')) throw Error('the path is not UTF-8')
  // Node 20 and 22 cut a long one off.
  const length = Buffer.byteLength(path)
  if (!isWindows && length > LONGEST) {
    throw Error(`it has ${length} bytes; a socket's has at most ${LONGEST}`)
  }
  return path
}
