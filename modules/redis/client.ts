/** A client for Redis in one process on the host: all commands leave together, and all replies come back together. */

import { Failure } from '../../errors/failure.ts'
import { type Collector, type Output, Probe, tail, unparsable } from '../../probe/probe.ts'
import { type Script, sh } from '../../shell/script.ts'
import { type Endpoint, endpointName } from './endpoint.ts'
import { type Command, decode, encode, type Reply } from './resp.ts'

/** Exit statuses of the client that are its own. */
const status = { refused: 1, unconnected: 2, unauthenticated: 3, torn: 4 } as const

/**
 * Perl is on every Debian (`perl-base` is essential), redis-cli only where its package is. And redis-cli goes on as the default
 * user after a wrong password, ends with 0 after an error reply, and sends what it reads line by line, with a round trip for each.
 *
 * What it is to send comes on standard input. It logs in and chooses the database first, and waits for both: were they sent
 * with the commands, a server that refuses them would do the commands all the same. QUIT has the server close when it has
 * said everything.
 *
 * `ask` prints the replies as they are. `tell` holds where none is an error; its commands have replies of one line.
 * `ping` counts microseconds of round trips for some seconds.
 */
const program = String.raw`
use strict; use Socket qw(:all);
my ($mode, $at, $port, $user, $file, $db, $for) = @ARGV;
my $name = $at =~ m{^/} ? $at : "$at:$port";
my $limit = 60 + ($for || 0);
sub fail { my ($status, @words) = @_; print STDERR @words, "\n"; exit $status }
sub words { join "", "*" . @_ . "\r\n", map { "\$" . length($_) . "\r\n$_\r\n" } @_ }
$SIG{PIPE} = "IGNORE";
$SIG{ALRM} = sub { fail(4, "$name did not answer within $limit seconds.") };
alarm $limit;
binmode $_ for *STDIN, *STDOUT;
my ($s, $why);
if ($at =~ m{^/}) {
  socket($s, PF_UNIX, SOCK_STREAM, 0) && connect($s, pack_sockaddr_un($at)) or ($why, $s) = ("$!");
} else {
  my ($wrong, @all) = getaddrinfo($at, $port, {socktype => SOCK_STREAM});
  $why = "$wrong" if $wrong;
  for (@all) {
    if (socket($s, $_->{family}, SOCK_STREAM, 0) && connect($s, $_->{addr})) { undef $why; last }
    $why = "$!"; undef $s;
  }
  setsockopt($s, IPPROTO_TCP, TCP_NODELAY, 1) if $s;
}
fail(2, "Could not connect to Redis at $name: $why") unless $s;
my $in = "";
sub put { my $out = shift; while (length $out) { my $n = syswrite($s, $out) or return; substr($out, 0, $n) = "" } }
sub hear {
  until ($in =~ /\r\n/) { sysread($s, $in, 65536, length $in) or fail(4, "$name closed the connection.") }
  $in =~ s/^(.*?)\r\n//s; return $1;
}
my @first;
if (length $file) {
  open my $f, "<", $file or fail(3, "$file: $!");
  fail(3, "$file may be read by everybody on the host; let its owner alone read it: chmod 0600 $file") if (stat $f)[2] & 04;
  local $/; my $password = <$f>; $password =~ s/\r?\n\z//;
  push @first, words("AUTH", length $user ? $user : (), $password);
}
push @first, words("SELECT", $db) if $db;
put(join "", @first);
for (@first) { my $said = hear(); fail(3, $said =~ s/^-(ERR )?//r) if $said =~ /^-/ }
if ($mode eq "ping") {
  require Time::HiRes;
  put(words("PING")); hear();
  my ($began, $now) = (Time::HiRes::time());
  do {
    my $sent = Time::HiRes::time();
    put(words("PING"));
    my $said = hear(); fail(3, $said =~ s/^-//r) if $said =~ /^-/;
    $now = Time::HiRes::time();
    printf "%d\n", ($now - $sent) * 1e6;
    Time::HiRes::sleep(0.01);
  } while $now - $began < $for;
  exit 0;
}
my $out = do { local $/; <STDIN> };
put($out . words("QUIT"));
1 while sysread($s, $in, 65536, length $in);
if ($mode eq "ask") { print $in; exit 0 }
my @commands;
while ($out =~ /\G\*(\d+)\r\n/gc) {
  my @c;
  for (1 .. $1) { $out =~ /\G\$(\d+)\r\n/gc; push @c, substr $out, pos $out, $1; pos($out) += $1 + 2 }
  push @commands, join " ", map { s/[^!-~]/?/gr } $c[0], map { substr $_, 0, 60 } grep { defined } $c[1];
}
my @said = split /\r\n/, $in;
my $transaction = @commands && $commands[0] eq "MULTI";
my ($head) = $transaction ? grep { $said[$_] =~ /^(\*|-EXECABORT)/ } 0 .. $#said : ();
fail(4, "$name closed the connection before it had answered.") if @said <= @commands;
my @wrong;
for my $i (0 .. $#said) {
  next unless $said[$i] =~ /^-(.*)/;
  my $of = defined $head && $i > $head ? $i - $head : $i;
  push @wrong, "$1" . (defined $commands[$of] ? " ($commands[$of])" : "");
}
fail(1, join "\n", @wrong) if @wrong;
`.trim()

/** Asks a server all questions of all tasks in one pipeline. What one asks is a part of the pipeline, its answer are the replies. */
export function redisReplies(endpoint: Endpoint, commands: readonly Command[]): Probe<readonly Reply[]> {
  return redisAnswer(endpoint, commands).map((answer) => {
    if ('stopped' in answer) throw notRunning(endpoint, answer.stopped)
    return answer.replies
  })
}

/** Replies; or why there is nobody who would give some. */
export type Answer = { readonly replies: readonly Reply[] } | { readonly stopped: string }

/** As `redisReplies`, for those whom a server that does not run tells something. */
export function redisAnswer(endpoint: Endpoint, commands: readonly Command[]): Probe<Answer> {
  return Probe.of(pipeline(endpoint), commands as Question)
}

type Question = readonly (readonly (string | number)[])[]

function pipeline(endpoint: Endpoint): Collector<Question, Answer> {
  return {
    name: `redis ${JSON.stringify(endpoint)}`,
    aside: true,
    ask: (questions) => client('ask', endpoint).reading(encode(questions.flat())).called(called(endpoint)),
    answers(output, questions) {
      if (output.status === status.unconnected) return questions.map(() => ({ stopped: output.stderr.trim() }))
      if (output.status !== 0) throw unanswered(endpoint, output)
      const replies = decode(output.stdout)
      // One more than was asked is the reply to QUIT.
      if (replies?.length !== questions.flat().length + 1) throw unparsable(called(endpoint), output)
      let at = 0
      return questions.map((question) => ({ replies: replies.slice(at, (at += question.length)) }))
    },
  }
}

/** Sends commands in one pipeline, and fails with the words of every reply that is an error. Each must have a reply of one line. */
export function redisCommands(endpoint: Endpoint, commands: readonly Command[]): Script {
  return client('tell', endpoint).reading(encode(commands))
}

/** Prints the microseconds of one PING after another, a line each, for so many seconds. */
export function redisPings(endpoint: Endpoint, seconds: number): Script {
  return client('ping', endpoint, seconds).called(`PING at ${endpointName(endpoint)}`)
}

function client(mode: 'ask' | 'tell' | 'ping', endpoint: Endpoint, seconds = 0): Script {
  const { at, port, user = '', passwordFile = '', database } = endpoint
  return sh`perl -e ${program} ${[mode, at, port, user, passwordFile, database, seconds]}`
}

function called(endpoint: Endpoint): string {
  return `redis at ${endpointName(endpoint)}`
}

export function notRunning(endpoint: Endpoint, said: string, more = ''): Failure {
  return new Failure('E_UNREADABLE', `Redis does not answer at ${endpointName(endpoint)}.`, {
    seen: { command: called(endpoint), status: status.unconnected, output: said },
    hint: `Start it before: service('redis-server').started(); or say where it listens: .port(), .socket().${more}`,
  })
}

/** Why the server was not asked, though somebody is there. */
export function unanswered(endpoint: Endpoint, { status: ended, stderr }: Output): Failure {
  const seen = { command: called(endpoint), status: ended, output: tail(stderr) }
  const failure = (message: string, hint?: string) => new Failure('E_UNREADABLE', message, { seen, hint })
  if (ended === status.unconnected) return notRunning(endpoint, stderr.trim())
  if (ended === 127)
    return failure('There is no perl on this host, which asks Redis.', "Install it before: aptPackage('perl-base').")
  if (stderr.includes("Can't locate Time/HiRes.pm"))
    return failure('The perl of this host cannot measure time.', "Install it whole before: aptPackage('perl').")
  if (ended === status.unauthenticated)
    return failure(
      `Redis at ${endpointName(endpoint)} did not let us in: ${tail(stderr, 1)}`,
      'The file that .passwordFile() names holds the password of the user, and nothing else; without .user() it is the default user.',
    )
  return failure(tail(stderr, 1) || 'Redis could not be asked.')
}

/** What an error reply means to a reader. */
export function refusedBy(endpoint: Endpoint, command: string, error: string): Failure {
  const hint = error.startsWith('NOAUTH')
    ? 'Name the file on the host that holds the password: .passwordFile(path).'
    : error.startsWith('NOPERM')
      ? 'Let a user log in who may: .user(name) with .passwordFile(path).'
      : undefined
  return new Failure('E_UNREADABLE', `Redis at ${endpointName(endpoint)} refused ${command}: ${error}`, {
    seen: { command, status: 0, output: error },
    hint,
  })
}
