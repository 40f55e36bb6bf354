"""Small browser components that Streamlit does not have."""
