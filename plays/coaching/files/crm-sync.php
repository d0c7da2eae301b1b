<?php
/*
 * Hands bookings to the CRM: each file NAME.json of the spool is posted to the URL in CRM_URL, and removed when the CRM has
 * taken it. What it does not take stays for the next run, and the run fails, which the journal tells.
 */

[, $spool] = $argv;
$bookings = glob("$spool/*.json");
$url = getenv('CRM_URL');
if ($bookings && !$url) {
    fwrite(STDERR, count($bookings) . " bookings wait, and CRM_URL is not set\n");
    exit(1);
}

$refused = 0;
foreach ($bookings as $booking) {
    $answer = @file_get_contents($url, false, stream_context_create(['http' => [
        'method' => 'POST',
        'header' => 'Content-Type: application/json',
        'content' => file_get_contents($booking),
        'timeout' => 10,
    ]]));
    if ($answer !== false) {
        unlink($booking);
        continue;
    }
    $refused++;
    fwrite(STDERR, basename($booking) . ': ' . (error_get_last()['message'] ?? 'refused') . "\n");
}
exit($refused > 0 ? 1 : 0);
