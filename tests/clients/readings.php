<?php
// Reads all meter readings with PHP's SoapClient, one line each: id, meter code, value.
//
// readings.php URL LOGIN PASSWORD
[, $url, $login, $password] = $argv;
$client = new SoapClient($url . '/soap/v1?wsdl', [
    'login' => $login,
    'password' => $password,
    'cache_wsdl' => WSDL_CACHE_NONE,
    'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
]);
$cursor = null;
do {
    $page = $client->GetMeterReadings(array_filter(['cursor' => $cursor, 'max' => 500]));
    foreach ($page->readings->reading ?? [] as $reading) {
        echo "{$reading->readingId}\t{$reading->meterCode}\t{$reading->value}\n";
    }
    $cursor = $page->nextCursor;
} while ($page->more);
