/** A question to a running master of php-fpm, asked on the host through the socket of a pool. */

import { lines, type Script, sh } from '../../shell/script.ts'
import { poolPath } from './layout.ts'

/** A master, and the pool through which it is asked. */
export interface Asked {
  readonly version: string
  readonly pool: string
}

/** What stands in front of an answer: a pool may have something printed before every script. */
export const answerMark = 'fleetplay-answer:'

/**
 * Has a PHP script run by masters, and prints a line of JSON for each: what it answered, or why it did not. A master that
 * is stopped stays so: with socket activation, a connection would start it.
 *
 * The script must be a file that the pool's user can read. It stands in a folder of `/run` while the question lasts, and goes
 * with it; opcache keeps no file that is younger than two seconds (`opcache.file_update_protection`).
 */
export function askMasters(all: readonly Asked[], script: string): Script {
  return lines(
    sh`folder=
trap '[ -z "$folder" ] || rm -rf -- "$folder"' EXIT
trap 'exit 1' HUP INT TERM
ask() {
  case $(systemctl show --property=LoadState,ActiveState -- "php$1-fpm.service" 2>/dev/null) in
    *LoadState=not-found*) echo '{"missing":true}'; return ;;
    *ActiveState=inactive* | *ActiveState=failed*) echo '{"inactive":true}'; return ;;
  esac
  php=$(command -v "php$1" || command -v php) || {
    echo '{"problem":"there is no php for the command line on this host, to ask with"}'
    return
  }
  [ -n "$folder" ] || {
    folder=$(mktemp -d /run/fleetplay.XXXXXX 2>/dev/null) && printf '%s' ${script} >"$folder/ask.php" &&
      chmod 755 "$folder" && chmod 644 "$folder/ask.php"
  } || {
    echo '{"problem":"this user may not write in /run"}'
    return
  }
  "$php" -n -r ${client} -- "$3" "$2" "$folder/ask.php" </dev/null || echo '{"problem":"php of the command line failed"}'
}`,
    ...all.map(({ version, pool }) => sh`ask ${version} ${pool} ${poolPath(version, pool)}`),
  )
}

/**
 * A FastCGI client of the file of a pool, the pool and a script. It is written in PHP, which is there: php-fpm's package
 * needs that of the command line. A socket that systemd holds is found where `listen` is its name with `.activated`.
 *
 * @see https://fastcgi-archives.github.io/FastCGI_Specification.html
 */
const client = String.raw`
[, $file, $pool, $script] = $argv;
function no($why) { echo json_encode(["problem" => $why], JSON_INVALID_UTF8_SUBSTITUTE), "\n"; exit; }
$text = @file_get_contents($file);
if ($text === false) no("$file cannot be read");
$in = false;
$listen = "";
foreach (explode("\n", $text) as $line) {
  if (preg_match("/^\s*\[(.*?)\]/", $line, $m)) $in = $m[1] === $pool;
  elseif ($in && preg_match("/^\s*listen\s*=\s*\"?([^\";]*)/", $line, $m)) $listen = str_replace("\$pool", $pool, trim($m[1]));
}
if ($listen === "") no("$file does not say where the pool $pool listens");
if ($listen[0] === "/") {
  $addresses = array_unique(["unix://$listen", "unix://" . preg_replace("/\.activated$/", "", $listen)]);
} else {
  $addresses = ["tcp://" . preg_replace(["/^(\d+)$/", "/^\*:/", "/^0\.0\.0\.0:/", "/^\[::\]:/"], ["127.0.0.1:$1", "127.0.0.1:", "127.0.0.1:", "[::1]:"], $listen)];
}
// A file of that name may be left of a php-fpm that had no socket of systemd yet.
foreach ($addresses as $address) if ($f = @stream_socket_client($address, $number, $why, 5)) break;
if (!$f) no("nobody answers at " . preg_replace("/^\w+:\/\//", "", $address) . ": $why");
stream_set_timeout($f, 10);
function part($type, $body) { return pack("CCnnCC", 1, $type, 1, strlen($body), 0, 0) . $body; }
function text($text) { return strlen($text) < 128 ? chr(strlen($text)) : pack("N", strlen($text) | 0x80000000); }
$all = "";
foreach (["GATEWAY_INTERFACE" => "FastCGI/1.0", "REQUEST_METHOD" => "GET", "SCRIPT_FILENAME" => $script, "SCRIPT_NAME" => "/ask.php", "REQUEST_URI" => "/ask.php", "QUERY_STRING" => "", "SERVER_PROTOCOL" => "HTTP/1.1"] as $key => $value)
  $all .= text($key) . text($value) . $key . $value;
fwrite($f, part(1, "\0\1\0\0\0\0\0\0") . part(4, $all) . part(4, "") . part(5, ""));
$out = $said = "";
$ended = false;
while (!$ended && strlen($head = (string) stream_get_contents($f, 8)) === 8) {
  $h = unpack("Cversion/Ctype/nid/nlength/Cpadding/Cnone", $head);
  $body = $h["length"] ? stream_get_contents($f, $h["length"]) : "";
  if ($h["padding"]) stream_get_contents($f, $h["padding"]);
  if ($h["type"] === 6) $out .= $body;
  if ($h["type"] === 7) $said .= $body;
  $ended = $h["type"] === 3;
}
if (!$ended) no("the pool $pool did not answer within 10 seconds");
if (!preg_match("/^${answerMark}(.*)$/m", $out, $m)) {
  $body = explode("\r\n\r\n", $out, 2);
  no("the pool $pool ran no script from /run: " . trim(preg_replace("/\s+/", " ", $said . " " . strip_tags(isset($body[1]) ? $body[1] : "")), " ."));
}
echo $m[1], "\n";
`
