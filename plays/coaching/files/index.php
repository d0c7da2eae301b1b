<?php
// A page that takes its time, as one that asks a database does: what its links name is loaded meanwhile.
usleep(80_000);
?>
<!doctype html>
<title>Coaching</title>
<link rel="stylesheet" href="/assets/css/critical-coach.min.css">
<p>Hello.
