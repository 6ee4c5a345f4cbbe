"""Reads all meter readings with zeep, one line each: id, meter code, value.

readings.py URL LOGIN PASSWORD
"""

import sys

import zeep
from requests import Session
from requests.auth import HTTPBasicAuth
from zeep.transports import Transport

url, login, password = sys.argv[1:]
session = Session()
session.trust_env = False
session.auth = HTTPBasicAuth(login.encode(), password.encode())
client = zeep.Client(url + "/soap/v1?wsdl", transport=Transport(session=session, timeout=20))

cursor, more = None, True
while more:
    page = client.service.GetMeterReadings(cursor=cursor, max=500)
    readings = page["readings"]["reading"] or []
    assert page["readings"]["count"] == len(readings)
    for reading in readings:
        print(reading["readingId"], reading["meterCode"], reading["value"], sep="\t")
    cursor, more = page["nextCursor"], page["more"]
