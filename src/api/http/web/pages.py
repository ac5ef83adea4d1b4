from pathlib import Path

from fastapi import APIRouter

FOLDER = Path(__file__).parent
router = APIRouter()
