"""What the web server does besides answering."""

import socket

from dashboard.server import answer_at_once


def test_answers_do_not_wait_for_acknowledgements():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:  # as Streamlit opens it
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        answer_at_once()
        with socket.create_connection(listening.getsockname()):
            accepted, _ = listening.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
