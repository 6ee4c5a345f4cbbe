//! Just enough HTTP/1.1 on a loopback socket to let real SOAP clients call the service: what the manager's web does, without it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use registry::Registry;
use soap::{Service, SoapRequest};

use super::NOW;

/// A socket that no service answers at yet.
pub struct Door {
    listener: TcpListener,
}

impl Door {
    /// Takes a free port.
    pub fn new() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
        }
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }

    /// Answers every connection in a thread of its own, until the process ends.
    pub fn serve(self, registry: Registry, service: Service) {
        std::thread::spawn(move || {
            for stream in self.listener.incoming() {
                let (registry, service) = (registry.clone(), service.clone());
                std::thread::spawn(move || {
                    let stream = stream.unwrap();
                    stream
                        .set_read_timeout(Some(Duration::from_secs(30)))
                        .unwrap();
                    // A client that goes away in the middle fails its own test, not this thread's.
                    let _ = answer(&stream, &registry, &service);
                });
            }
        });
    }
}

fn answer(stream: &TcpStream, registry: &Registry, service: &Service) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let is_get = line.starts_with("GET /soap/v1?wsdl");
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => {
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
            None => break,
        }
    }
    let header = |name: &str| {
        headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    };
    if header("expect").is_some() {
        (&mut &*stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    if is_get {
        return send(
            stream,
            200,
            "text/xml; charset=utf-8",
            service.wsdl().as_bytes(),
        );
    }
    let body = read_body(
        &mut reader,
        header("content-length"),
        header("transfer-encoding"),
    )?;
    let address = stream.peer_addr()?.ip();
    let account = header("authorization")
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|value| STANDARD.decode(value).ok())
        .and_then(|value| String::from_utf8(value).ok())
        .and_then(|value| {
            let (login, password) = value.split_once(':')?;
            registry.verify_password(login, password, address, NOW).ok()
        });
    let response = service.handle(&SoapRequest {
        content_type: header("content-type"),
        soap_action: header("soapaction"),
        body: &body,
        account,
        address,
        now: NOW,
    });
    send(
        stream,
        response.status,
        response.content_type,
        &response.body,
    )
}

fn read_body(
    reader: &mut impl BufRead,
    length: Option<&str>,
    encoding: Option<&str>,
) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if encoding.is_some_and(|encoding| encoding.eq_ignore_ascii_case("chunked")) {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let size = u64::from_str_radix(size.trim(), 16).unwrap();
            reader.take(size).read_to_end(&mut body)?;
            reader.read_line(&mut String::new())?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    let length: u64 = length.unwrap_or("0").parse().unwrap();
    reader.take(length).read_to_end(&mut body)?;
    Ok(body)
}

fn send(
    mut stream: &TcpStream,
    status: u16,
    content_type: &str,
    body: &[u8],
) -> std::io::Result<()> {
    let challenge = if status == 401 {
        "WWW-Authenticate: Basic realm=\"Platen\"\r\n"
    } else {
        ""
    };
    let head = format!(
        "HTTP/1.1 {status} x\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{challenge}Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}
