"""Reports: figures become one HTML page that needs nothing else, with plots as SVG."""
