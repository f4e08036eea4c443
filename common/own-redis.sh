# A redis-server for a reader who runs none: found or started, and stopped
# again when the program that started it has ended, however it ended.
#
# usage: sh own-redis.sh LESSON [SETTING...]
#
# Prints `found SOCKET`, `started SOCKET` or `missing`, on one line. After
# `started` it runs on until its stdin ends, which `kill -9` cannot prevent:
# the system closes the other end of that pipe.

# Killed while the server starts, that program no longer reads what it asked
# for. Without this the next echo would end us, and leave the server behind.
trap '' PIPE

command -v redis-server >/dev/null && command -v redis-cli >/dev/null || {
  echo missing
  exit 0
}
folder="${TMPDIR:-/tmp}/$1-$(id -u)"
shift

# Nobody else can look into it. One that another user made is refused.
umask 077
mkdir -p "$folder" && [ -O "$folder" ] && cd "$folder" || exit 1

lives() {
  [ "$(redis-cli -s "$1" ping 2>/dev/null)" = PONG ]
}
if lives redis.sock; then
  echo "found $folder/redis.sock"
  exit 0
fi

# --port 0 turns TCP off: only the socket, under a name that nobody else uses.
mkfifo "$$.log" || exit 1
redis-server --port 0 --unixsocket "$$.sock" --save '' --dir . "$@" \
  >"$$.log" 2>&1 &
server=$!
finish() {
  kill "$server" 2>/dev/null
  wait "$server"
  rm -f "$$.sock"
}
exec 3<"$$.log"
rm "$$.log"
ready=
while [ ! "$ready" ] && read -r line <&3; do
  last=$line
  case $line in
    *'eady to accept connections'*) ready=yes ;;
  esac
done
exec 3<&-
[ "$ready" ] || {
  echo "redis-server: $last" >&2
  exit 1
}

# Two programs may have come this far at the same time. Only one of them can
# make the name; the other takes the server that has it, and ends its own.
until ln -s "$$.sock" redis.sock 2>/dev/null; do
  if lives redis.sock; then
    finish
    echo "found $folder/redis.sock"
    exit 0
  fi
  # Left behind by a server that was killed. Looked at again once it is ours
  # alone, as another program may just have put it right.
  mv redis.sock "$$.stale" 2>/dev/null || continue
  if lives "$$.stale"; then
    ln -s "$(readlink "$$.stale")" redis.sock 2>/dev/null
  else
    rm -f "$(readlink "$$.stale")"
  fi
  rm -f "$$.stale"
done
echo "started $folder/redis.sock"

read -r _
[ "$(readlink redis.sock)" = "$$.sock" ] && rm -f redis.sock
finish
rmdir "$folder" 2>/dev/null # kept while there is data in it
exit 0
