// tests/examples/qt_client.cpp URL [text]: the client of talk.hpp on Qt 6, over TCP, or over TLS for https.
#include "examples/talk.hpp"

#include <socketless/core/system_random.hpp>
#include <socketless/http/url.hpp>
#include <socketless/wire/client.hpp>

#include <QtCore/QCoreApplication>
#include <QtCore/QTimer>
#include <QtNetwork/QSslConfiguration>
#include <QtNetwork/QSslSocket>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iostream>
#include <map>
#include <string>

using namespace socketless;
using steady = std::chrono::steady_clock;

struct network {
    wire::client<>& io;
    talk& application;
    std::map<wire::connection_id, QSslSocket*> connections = {}; // for TCP too
    std::string buffer = {};
    QTimer timer{};

    network(wire::client<>& wire, talk& events) : io(wire), application(events) {
        timer.setSingleShot(true);
        timer.callOnTimeout([this] { drive(); });
    }
    // Runs after each input. It never runs inside itself: all signals are queued.
    void drive() {
        for (io.handle_timeout(steady::now());;) {
            while (auto e = io.poll_event()) application.handle(*e);
            auto const t = io.poll_transmit(buffer);
            if (!t) break;
            perform(*t);
        }
        if (io.is_done()) return QCoreApplication::quit(); // nothing is left to wait for
        auto const left = io.poll_timeout().value_or(steady::now() + std::chrono::hours(1)) - steady::now();
        timer.start(std::max(ceil<milliseconds>(left), milliseconds(0)));
    }
    void perform(wire::transmit const& t) {
        if (t.type == wire::transmit_type::connect) return connect(t.connection, t);
        if (t.type == wire::transmit_type::close) return close(t.connection);
        io.pause(t.connection); // until it is written
        connections[t.connection]->write(t.data.data(), static_cast<qint64>(t.data.size()));
    }
    void connect(wire::connection_id id, wire::transmit const& t) {
        auto* const s = connections[id] = new QSslSocket;
        auto const on = [s](auto signal, auto handler) {
            QObject::connect(s, signal, s, handler, Qt::QueuedConnection);
        };
        auto const written = [=, this] { go_on(id, *s); };
        on(&QSslSocket::bytesWritten, written);
        on(&QSslSocket::encryptedBytesWritten, written);
        on(t.tls ? &QSslSocket::encrypted : &QSslSocket::connected, [=, this] { begin(id, *s); });
        on(&QSslSocket::readyRead, [=, this] { read(id, *s); });
        on(&QSslSocket::stateChanged, [=, this] {
            if (s->state() == QSslSocket::UnconnectedState) lose(id, *s);
        });
        s->setReadBufferSize(64 * 1024);
        auto const host = QString::fromUtf8(t.host.data(), static_cast<qsizetype>(t.host.size()));
        t.tls ? s->connectToHostEncrypted(host, t.port) : s->connectToHost(host, t.port);
    }
    void begin(wire::connection_id id, QSslSocket& s) {
        s.setSocketOption(QSslSocket::LowDelayOption, 1);
        io.connected(id, steady::now());
        drive();
    }
    void go_on(wire::connection_id id, QSslSocket const& s) {
        if (s.bytesToWrite() + s.encryptedBytesToWrite() == 0) io.resume(id);
        drive();
    }
    void read(wire::connection_id id, QSslSocket& s) {
        auto bytes = s.readAll();
        io.received(id, {bytes.data(), static_cast<std::size_t>(bytes.size())}, steady::now());
        drive(); // then `bytes` may go
    }
    void lose(wire::connection_id id, QSslSocket& s) { // Qt closes it too when the server has ended its side
        read(id, s);
        if (s.error() == QSslSocket::RemoteHostClosedError) io.ended(id, steady::now());
        io.closed(id, steady::now());
        close(id);
        drive();
    }
    void close(wire::connection_id id) {
        auto const c = connections.extract(id);
        if (c) c.mapped()->deleteLater(); // late news of it does no harm
    }
};

int main(int argc, char** argv) {
    QCoreApplication const qt(argc, argv);
    auto const url = http::parse_url(argc > 1 ? argv[1] : "http://localhost:3000");
    if (!url) return std::cerr << message(url.error().code) << '\n', 1;
    auto tls = QSslConfiguration::defaultConfiguration();
    tls.addCaCertificates(qEnvironmentVariable("SSL_CERT_FILE")); // beside the system's authorities
    QSslConfiguration::setDefaultConfiguration(tls);
    wire::client<> io(*url, {}, {}, system_random(), steady::now());
    talk application{io.protocol(), argc > 2 ? argv[2] : "hello"};
    network net(io, application);
    net.drive();
    return QCoreApplication::exec();
}
