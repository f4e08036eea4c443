//! The protocol: what Node's `child_process` says on its channel, on POSIX.
//! There is nothing to call here.
//!
//! Node documents none of it: its manual once said "line delimited JSON
//! objects", and now says that a child which is not Node is not supported
//! (PRs [17460], [17545]). In practice the lines have been the same since 2012,
//! and `advanced` since Node 12.16 (PR [30162]). So each fact has its source:
//!
//! | mark | source |
//! |---|---|
//! | *seen* | seen on the wire with Node 20.20.2 on Linux |
//! | *cp* | `lib/internal/child_process.js` of Node |
//! | *ser* | `lib/internal/child_process/serialization.js` |
//! | *list* | `lib/internal/socket_list.js` |
//! | *cluster* | `lib/internal/cluster/` |
//! | *uv* | libuv, `src/unix/stream.c` and `src/unix/process.c` |
//!
//! The tests of this crate hold most of what is *seen* against the Node that
//! runs them; they pass with Node 20, 22, 24 and 26, and what differs between
//! these is named. macOS was not looked at. On Windows the socket is a named
//! pipe: see the end.
//!
//! # The socket and its name
//!
//! | what | how it is | source |
//! |---|---|---|
//! | the channel | `socketpair(AF_UNIX, SOCK_STREAM)`, both ways | uv, seen |
//! | its number in the child | `NODE_CHANNEL_FD`, decimal; any will do | seen |
//! | its serialization | `NODE_CHANNEL_SERIALIZATION_MODE` (below) | seen |
//! | in the child at first | blocking, and inherited on exec | uv, seen |
//! | in a Node child | non-blocking, closed on exec, no names | cp, seen |
//! | a cluster's worker | has its number in `NODE_UNIQUE_ID` | cluster |
//!
//! - The serialization is `json`, also when nothing says so, or `advanced`.
//! - Node puts the two names behind the user's environment without a look at
//!   it. A stale `NODE_CHANNEL_FD` in it wins. *(seen)*
//! - A name without its descriptor, left over by a parent that did not remove
//!   it, makes Node abort (SIGABRT), or hang if it listens to `'message'`.
//!   *(seen; issue [39151])*
//! - `fork(module, args, { execPath })` runs `execPath`, then `execArgv`
//!   (by default the parent's own flags), `module`, `args`. *(cp, seen)*
//!
//! # Frames
//!
//! Nobody says hello. Either side sends whole frames, one after the other.
//!
//! | | `json` | `advanced` |
//! |---|---|---|
//! | a frame | one JSON text and `\n` | 4 bytes, big-endian: how many follow |
//! | what is in it | UTF-8; what is not is U+FFFD | [V8's format](crate::v8) |
//! | accepted | white space around it, `\r\n` | bytes after the value |
//! | refused | an empty line, a BOM, control characters | version 16 |
//! | the limit | V8's longest string, about 512 MB | 2 GiB (PR [61344]) |
//!
//! All of it *(seen, ser)*. The end of the stream within a frame is an end;
//! the rest is dropped *(seen)*.
//!
//! What JSON cannot hold, Node sends as JSON does: `undefined` in an array as
//! `null`, a Map as `{}`, half a surrogate pair as the escape `\ud800`, a
//! Buffer as `{"type":"Buffer","data":[..]}`. *(seen)*
//!
//! # Whose message it is
//!
//! An object whose `cmd` is a string that begins with `NODE_`, and is longer
//! than that, is Node's own: it becomes `'internalMessage'`, never `'message'`,
//! also when a user has sent it. Whatever Node does not know, it ignores.
//! *(cp, seen)*
//!
//! # Sockets
//!
//! A socket goes as `SCM_RIGHTS` with the first byte of a frame *(uv)*:
//!
//! ```json
//! {"cmd":"NODE_HANDLE","type":"net.Socket","msg":"x","key":"4:127.0.0.1:80"}
//! ```
//!
//! | `type` | what it is | |
//! |---|---|---|
//! | `net.Socket` | a connection; `key` if it came to a Node server | seen |
//! | `net.Server` | a listening socket, of TCP or of a path | seen |
//! | `net.Native` | a handle without a wrapper: what a cluster sends | seen |
//! | `dgram.Socket` | UDP; `dgramType` is `udp4` or `udp6` | seen |
//! | `dgram.Native` | the same without a wrapper | cp |
//!
//! `msg` is the user's message, or one of Node's own. Whether a `net.Server`
//! is one of TCP or of a path, only the system can say. *(seen)*
//!
//! The receiver answers at once, before all that waits, and exactly once:
//!
//! | answer | when | what Node does |
//! |---|---|---|
//! | `{"cmd":"NODE_HANDLE_ACK"}` | a descriptor came | goes on |
//! | `{"cmd":"NODE_HANDLE_NACK"}` | none came | may send it again |
//!
//! - After a socket the sender keeps every message back until it has the
//!   answer. Without one they wait indefinitely, and `disconnect()` too.
//!   *(cp, seen)*
//! - With the ACK Node closes its own `net.Socket`, unless it was sent with
//!   `keepOpen`. Servers and datagram sockets stay open in it. *(cp, seen)*
//! - After a NACK it sends a `net.Socket` again, three times, and then warns:
//!   `SentHandleNotReceivedWarning`. Other sockets are dropped with their
//!   message. *(cp, seen)*
//! - What is sent again is in one envelope more, the same each time, the outer
//!   one a `net.Native`: `{"cmd":"NODE_HANDLE",..,"msg":{"cmd":..}}`.
//!   It comes with one descriptor, and gets one answer. *(seen)*
//! - A descriptor with any other message is kept for the next `NODE_HANDLE`; of
//!   two, the second is. *(seen)*
//! - libuv sets what it sends to non-blocking, and so it arrives. One that
//!   blocks stops the receiver's loop at its first long write. *(uv, seen)*
//!
//! ## Who still has a connection
//!
//! Node counts the connections of a server that it has handed on, by `key`,
//! for `server.getConnections()` and `server.close()`. *(list, seen)*
//!
//! ```text
//! {"cmd":"NODE_SOCKET_GET_COUNT","key":K}       at once:
//! {"cmd":"NODE_SOCKET_COUNT","key":K,"count":2}
//!
//! {"cmd":"NODE_SOCKET_NOTIFY_CLOSE","key":K}    when none is open any more:
//! {"cmd":"NODE_SOCKET_ALL_CLOSED","key":K}
//! ```
//!
//! Without an answer both wait until this process ends. *(seen)*
//!
//! # The end
//!
//! No message says it: the end of the channel is the end of the stream. A half
//! that is shut for writing ends both directions of a Node peer. *(seen)*
//!
//! | what happens | what Node does | source |
//! |---|---|---|
//! | the child closes or dies | `'disconnect'`, `'exit'`, `'close'` | seen |
//! | the parent closes | `'disconnect'` in the child | seen |
//! | `send()` after the end | `false`, `ERR_IPC_CHANNEL_CLOSED` | cp, seen |
//! | a second `disconnect()` | `ERR_IPC_DISCONNECTED` | cp, seen |
//! | closed with unread data | `ECONNRESET`: it is the end | seen |
//!
//! - The order of the three events was the same each time, but nobody promises
//!   it. *(seen)*
//! - A Node child exits after the end when nothing else is left to do. Without
//!   a listener for `'message'`, the channel does not keep it alive; messages
//!   wait in it, without a limit. *(seen)*
//! - From 128 KiB in its queue on, `send()` says `false`. Nothing is dropped.
//!   *(cp, seen)*
//! - `disconnect()` and `process.exit()` drop the queue: what the kernel has
//!   not taken is lost, without an error. A natural end delivers it. *(seen)*
//!
//! # What a Node process dies of
//!
//! | what arrives | how it dies | source |
//! |---|---|---|
//! | a line that is not JSON, or empty | uncaught exception, exit 1 | seen |
//! | a payload that is not V8's | the same | seen |
//! | one with a key twice in an object | the same | seen |
//! | one with a gap that is in no array | the same | seen |
//! | one with an Error that names itself, in Node 20 | the same | seen |
//! | an Error's cause before its stack, from Node 22 on | the same | seen |
//! | one with a Float16Array, in Node 20 | the same | seen |
//! | a length from 2^31 on | the same; mended by PR [61344] | seen |
//! | an ACK or NACK too many | `ERR_INTERNAL_ASSERTION` | cp, seen |
//! | `NODE_HANDLE`, `type` unknown | `TypeError`, after its ACK | cp, seen |
//! | the descriptor of a file | an assertion in C++, SIGABRT | seen |
//!
//! With a listener for `'uncaughtException'` the rest of that piece is lost,
//! and if the line had begun in a piece before, every later one throws again.
//! It survives a Unix socket of datagrams or packets, but NACKs that and every
//! socket after it. *(seen)*
//!
//! # Cluster
//!
//! The messages between a primary and its worker, as in [`cluster`]. `C` is the
//! worker, `P` the primary, `..` stands for `"cmd":"NODE_CLUSTER"`. *(seen)*
//!
//! [`cluster`]: https://nodejs.org/api/cluster.html
//!
//! ```text
//! C>P {..,"act":"online","seq":0}
//! C>P {..,"act":"queryServer","index":0,"data":null,"address":"127.0.0.1",
//!      "port":0,"addressType":4,"flags":0,"backlog":511,"seq":1}
//!
//!     In turn (SCHED_RR), the answer has a name:
//! P>C {..,"errno":null,"key":K,"ack":1,"data":null,"sockname":{..},"seq":0}
//!     Shared (SCHED_NONE), it has the socket, which is bound:
//! P>C {..,"errno":0,"key":K,"ack":1,"data":null,"seq":0}   in a NODE_HANDLE
//!     When it cannot listen, errno is below 0: -98 is EADDRINUSE.
//!
//! C>P {..,"act":"listening","index":0,..,"port":41289,"seq":2}
//!
//!     In turn: a client, and whether it was taken. If not, another worker
//!     gets it. Without this answer the worker gets no other client.
//! P>C {..,"act":"newconn","key":K,"seq":1}                 in a NODE_HANDLE
//! C>P {"cmd":"NODE_HANDLE_ACK"}
//! C>P {..,"ack":1,"accepted":true,"seq":3}
//!
//!     The primary wants the worker to stop:
//! P>C {..,"act":"disconnect","seq":2}
//! C>P {..,"act":"close","key":K,"seq":4}                   then the end
//!
//!     Or the worker itself does. Clients that come before the answer are
//!     given back with "accepted":false.
//! C>P {..,"act":"close","key":K,"seq":4}
//! C>P {..,"act":"exitedAfterDisconnect","seq":5}
//! P>C {..,"ack":5,"seq":3}                                 then the end
//! ```
//!
//! - `K` is `address:port:addressType:fd:index`. Workers that send the same
//!   have the same socket; `index` tells a worker's servers at one address from
//!   each other, from 0 on. *(cluster, seen)*
//! - A worker that is to leave gets no answer to `queryServer`. *(cluster,
//!   seen)*
//! - When the address is in use, the socket of SCHED_NONE comes with errno 0
//!   and is not bound: its port is 0. *(seen)*
//! - A `queryServer` for a `K` that the worker has already ends the primary:
//!   ERR_INTERNAL_ASSERTION. *(cluster, seen)*
//! - `seq` counts what one process has sent, over all its workers; `ack` is the
//!   `seq` of what it answers. *(cluster, seen)*
//! - A worker whose primary has gone without a word exits 0. *(cluster, seen)*
//! - `cluster.fork()` runs `process.execPath`, with the option `exec` as its
//!   script. *(cluster, seen)*
//!
//! # On Windows
//!
//! Seen with node.exe 20 and 22 under Wine. The frames are the same, cut into
//! pieces as it comes, each behind a header of libuv's (`src/win/pipe.c`): four
//! little-endian u32.
//!
//! | | |
//! |---|---|
//! | flags | 1: data follow; 2: a socket comes; 4: it is a connection |
//! | reserved | 0 |
//! | length | of the data |
//! | reserved | 0 |
//!
//! - With a socket, 632 bytes are between header and data: a
//!   `WSAPROTOCOL_INFOW` for `WSASocketW`, and an error of 4 bytes. Only TCP
//!   can be sent.
//! - Node reads a header without doing anything else meanwhile: it must come
//!   whole.
//! - `NODE_CHANNEL_FD` is an index into STARTUPINFO's `lpReserved2`: a count
//!   of 4 bytes, as many bytes of flags (1: open, 8: pipe, 64: device), as many
//!   handles. The pipe is opened for overlapped calls.
//!
//! [17460]: https://github.com/nodejs/node/pull/17460
//! [17545]: https://github.com/nodejs/node/pull/17545
//! [30162]: https://github.com/nodejs/node/pull/30162
//! [39151]: https://github.com/nodejs/node/issues/39151
//! [61344]: https://github.com/nodejs/node/pull/61344
